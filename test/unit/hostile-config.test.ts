/** Build files and Dockerfiles that are made to crash, hang or deceive whoever reads them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../src/cli/failures.js';
import { describePlan } from '../../src/config/describe.js';
import { ConfigError } from '../../src/config/diagnostic.js';
import { loadPlan, type LoadOptions } from '../../src/config/load.js';
import { harmless } from '../../src/config/printable.js';
import { readSmallFile } from '../../src/config/source.js';
import { toJson } from '../../src/report/json.js';
import { load, loadStep, options, problemsOf, project } from './config-project.js';

const HEAD = 'build:\n  version: 2016-03-14\n  steps:\n    a:\n      name: a\n';
const MI = 1 << 20;

/** What the program prints and its exit status, for a build file that must be refused within seconds. */
async function refused(text: string, overrides?: Partial<LoadOptions>): Promise<string> {
  const folder = await project({ 'build.yml': text });
  const error: unknown = await loadPlan(options(folder, overrides)).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ConfigError);
  const told = describeFailure(error, { kind: 'plain', color: false, stack: false });
  expect(told.exitCode).toBe(2);
  return told.text;
}

describe('a build file that is a bomb', { timeout: 20_000 }, () => {
  it.each([
    ['of brackets', '['.repeat(4 * MI), 'more than 64 levels of nesting'],
    ['of braces', '{'.repeat(100_000), 'more than 64 levels of nesting'],
    ['of list items', '- '.repeat(100_000), 'more than 64 levels of nesting'],
    ['of keys', '{a: '.repeat(100_000), 'more than 64 levels of nesting'],
    ['of anchors', '&a '.repeat(MI), 'the file has more than 500000 words and signs'],
    ['of empty keys', ':\n'.repeat(2 * MI - 1), 'the file has more than 500000 words and signs'],
    ['of lines', '\n'.repeat(4 * MI), 'the file has more than 500000 words and signs'],
    ['of documents', '---\n'.repeat(MI), 'the file has more than 500000 words and signs'],
  ])('%s is refused in time', async (_, text, message) => {
    expect(await refused(text)).toContain(message);
  });

  it('of aliases of one large text is refused, as is one of variables', async () => {
    const text = `${HEAD}      args:\n        A: &a _env(X)${'x'.repeat(MI)}\n`;
    const aliases = Array.from({ length: 3000 }, (_, i) => `        B${String(i)}: *a\n`).join('');
    const message = 'aliases and _env() make more than 16 Mi characters of this file';
    const env = { source: 'process', variables: new Map([['X', 'y'.repeat(10_000)]]) } as const;
    expect(await refused(text + aliases, { env })).toContain(message);
    const calls = '_env(X)'.repeat(500_000);
    expect(await refused(`${HEAD}      args: { A: "${calls}" }\n`, { env })).toContain(message);
  });

  it('of unset variables on one line is told by the first of them', async () => {
    const text = await refused(`${HEAD}      args: { A: "${'_env(X)'.repeat(500_000)}" }\n`);
    expect(text).toContain('the environment variable X is not set');
    expect(text).toContain('499800 more problems are not shown');
    expect(text.length).toBeLessThan(100_000);
  });

  it('of thousands of misspelt dependencies is told without comparing all with all', async () => {
    const steps = Array.from(
      { length: 5000 },
      (_, i) => `    s${String(i)}: {name: n${String(i)}, depends_on: [t${String(i)}]}\n`,
    );
    const text = await refused(`build:\n  version: 2016-03-14\n  steps:\n${steps.join('')}`);
    expect(text).toContain('step "s0" depends on "t0", which is no step');
    expect(text).toContain('more problems are not shown');
  });

  it('of a text of a megabyte is a text, and quoted in part only where it is wrong', async () => {
    const long = 'x'.repeat(MI);
    expect((await loadStep(`${HEAD}      args: { A: ${long} }\n`)).args['A']).toBe(long);
    const text = await refused(`${HEAD}      no_cache: ${long}\n`);
    expect(text).toContain('"no_cache" of step "a" must be true or false, not "xxx');
    expect(text.length).toBeLessThan(5000);
  });
});

describe('names that mean something to JavaScript', () => {
  const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];

  it('are steps, args, secrets and variables like any other', async () => {
    const steps = NAMES.map(
      (name, index) =>
        `    ${name}:\n      name: n${String(index)}\n      args: { ${name}: _env(${name}) }\n`,
    );
    const env = { source: 'flags', variables: new Map(NAMES.map((name) => [name, `of ${name}`])) } as const;
    const { plan } = await load(`build:\n  version: 2016-03-14\n  steps:\n${steps.join('')}`, { env });
    expect(plan.steps.map(({ label }) => label)).toEqual(NAMES);
    for (const { label, args } of plan.steps) expect(Object.entries(args)).toEqual([[label, `of ${label}`]]);
    expect(toJson(describePlan(plan))).toContain('{"name":"__proto__","value":"of __proto__"}');
    expect(Object.hasOwn(Object.prototype, 'args')).toBe(false);
  });

  it('are unset where nobody has set them, and no keys of a step', async () => {
    expect(await problemsOf(`${HEAD}      args: { A: _env(constructor) }\n`)).toContain(
      'the environment variable constructor is not set',
    );
    expect(await problemsOf(`${HEAD}      __proto__: { no_cache: true }\n`)).toContain(
      'unknown key "__proto__"',
    );
    expect(await problemsOf(`${HEAD}      depends_on: [toString]\n`)).toContain(
      'step "a" depends on "toString", which is no step',
    );
  });
});

describe('a build file, Dockerfile or .dockerignore', () => {
  it('that is a device, a folder, a pipe or a link to nowhere is refused without waiting', async () => {
    const folder = await project({});
    mkdirSync(join(folder, 'folder'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    for (const [name, target] of Object.entries({
      zero: '/dev/zero',
      lost: 'nowhere',
      loop: 'loop',
      via: 'pipe',
    }))
      symlinkSync(target, join(folder, name));
    const fate = (name: string): string => {
      const outcome = readSmallFile(join(folder, name));
      return outcome.kind === 'unusable' ? outcome.why : outcome.kind;
    };
    expect(['folder', 'pipe', 'zero', 'lost', 'loop', 'via'].map(fate)).toEqual([
      'is a folder',
      'is not a regular file',
      'is not a regular file',
      'missing',
      'is a symbolic link that leads to itself',
      'is not a regular file',
    ]);
  });

  it('is read by its bytes where the system gives no size, and refused beyond 4 MiB', async () => {
    const proc = readSmallFile('/proc/self/status');
    expect(proc.kind === 'read' && proc.content.length > 100).toBe(true);
    const folder = await project({});
    writeFileSync(join(folder, 'large'), Buffer.alloc(4 * MI + 1));
    expect(readSmallFile(join(folder, 'large'))).toEqual({ kind: 'unusable', why: 'is larger than 4 MiB' });
    writeFileSync(join(folder, 'most'), Buffer.alloc(4 * MI));
    expect(readSmallFile(join(folder, 'most'))).toMatchObject({ kind: 'read' });
  });

  it.each([
    ['has thousands of stages', 'FROM a AS a\n'.repeat(50_000), undefined],
    ['has a line that never ends', `FROM scratch\nRUN ${'a \\\n'.repeat(500_000)}`, undefined],
    [
      'has a line over 64 KiB',
      `FROM scratch\nRUN ${'a'.repeat(100_000)}`,
      'this line is longer than the 65535 bytes',
    ],
    [
      'has a heredoc without end',
      `FROM scratch\nRUN <<E\n${'a\n'.repeat(500_000)}`,
      'the heredoc "E" is not closed',
    ],
    [
      'has thousands of heredocs',
      `FROM scratch\nRUN ${'<<E '.repeat(15_000)}\n${'E\n'.repeat(15_000)}`,
      undefined,
    ],
    ['has a wrong directive', '# escape=x\nFROM scratch\n', 'the escape character can be'],
    [
      'is binary',
      Buffer.from(Array.from({ length: 65_000 }, (_, i) => i & 255)).toString('latin1'),
      'this Dockerfile has no FROM',
    ],
    ['nests substitutions', `FROM ${'${a:-'.repeat(10_000)}x`, 'substitutions are nested too deeply'],
    [
      'has a pattern for a slow matcher',
      `ARG a=${'a'.repeat(300)}\nFROM x\${a#${'*a'.repeat(30)}b}`,
      'the pattern has too many * for a value of this length',
    ],
  ])('that %s is read in time', { timeout: 20_000 }, async (_, Dockerfile, message) => {
    const files = { 'build.yml': HEAD, Dockerfile };
    if (message === undefined) expect((await load(files)).plan.steps).toHaveLength(1);
    else expect(await problemsOf(files)).toContain(message);
  });
});

describe('problems of a build file', () => {
  const any = fc.string({ unit: 'binary', maxLength: 40 });

  it('never hold what a terminal obeys, whatever the file holds', async () => {
    const folder = await project({});
    await fc.assert(
      fc.asyncProperty(any, any, async (one, other) => {
        const value = JSON.stringify(other).replaceAll('\u007f', '\\u007f');
        writeFileSync(join(folder, 'build.yml'), `${HEAD}      ${JSON.stringify(one)}: ${value}\n`);
        const error: unknown = await loadPlan(options(folder)).catch((caught: unknown) => caught);
        const { text } = describeFailure(error, { kind: 'plain', color: false, stack: false });
        expect(text.replaceAll('\n', '')).not.toMatch(
          /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u,
        );
      }),
      { numRuns: 150 },
    );
  });

  it('show both ends of what is too long', () => {
    expect(harmless(`a${'\u001b'.repeat(5000)}z`)).toMatch(/^a␛{999}…␛{999}z$/);
  });
});

/** `habitus prove`: what its words mean, what it shows, its exit status; and flags whose values nobody may see. */
import { EventEmitter } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fakeLibrary } from '../support/fake-library.js';
import { readCommandLine } from '../../src/cli/command-line.js';
import { main } from '../../src/cli/main.js';
import { describeProof } from '../../src/cli/prove.js';
import type { Library } from '../../src/cli/world.js';
import { UsageError } from '../../src/core/errors.js';
import type { ProveOptions, ProveResult } from '../../src/core/image-api.js';

const CLEAN: ProveResult = {
  clean: true,
  findings: [],
  unproven: [],
  layers: ['sha256:aa', 'sha256:bb'],
  limits: [],
  bytes: 40_100_000,
};

const FOUND: ProveResult = {
  ...CLEAN,
  clean: false,
  findings: [
    {
      secret: 'env:TOKEN',
      encoding: 'base64',
      kind: 'file',
      layer: 'sha256:bb',
      instruction: 'RUN make\u001b[2J',
      path: ['app/lib.jar', 'cfg.json'],
    },
    { secret: 'file:id', encoding: 'raw', kind: 'label', path: ['maintainer'] },
  ],
  unproven: ['env:PIN'],
  limits: ['big.zst: Node cannot open zstd here'],
};

async function run(args: readonly string[], more: Partial<Library>) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await main(args, {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    env: {},
    signals: new EventEmitter(),
    onCrash: () => undefined,
    exit: () => undefined,
    flushed: () => Promise.resolve(undefined),
    openStdout: () => new PassThrough(),
    loadLibrary: () => Promise.resolve(fakeLibrary(more)),
  });
  return { code, out: out.join(''), err: err.join('') };
}

/** The message and the hint of the error, as two lines. */
function errorOf(...argv: string[]): string {
  try {
    readCommandLine(argv);
  } catch (error) {
    if (error instanceof UsageError) return [error.message, error.hint ?? ''].join('\n').trimEnd();
    throw error;
  }
  throw new Error(`${argv.join(' ')} is accepted`);
}

describe('the command line of prove', () => {
  test('names an image and secrets', () => {
    const argv =
      'prove --secret env:TOKEN app:1 -secret file:a:b -base debian:12 -proof p.json -host tcp://h:1';
    expect(readCommandLine(argv.split(' '))).toMatchObject({
      command: 'prove',
      options: {
        image: 'app:1',
        secrets: [
          { name: 'env:TOKEN', source: { env: 'TOKEN' } },
          { name: 'file:a:b', source: { file: 'a:b' } },
        ],
        base: 'debian:12',
        proofFile: 'p.json',
        engine: { host: 'tcp://h:1' },
      },
    });
  });

  test.each([
    [
      [],
      'habitus prove needs an IMAGE\nUsage: habitus prove IMAGE --secret SOURCE [--base BASE] [--proof FILE]',
    ],
    [
      ['app'],
      'it is not said which secrets to search for\nName each with --secret env:NAME or --secret file:PATH.',
    ],
    [['app', '--secret', 'hunter2'], '--secret takes env:NAME or file:PATH, not what was given'],
    [['app', '--secret', 'env:'], '--secret takes env:NAME or file:PATH, not what was given'],
    [['app', '--secret', 'env:A=hunter2'], '--secret takes env:NAME or file:PATH, not what was given'],
    [
      ['a', 'b', '--secret', 'env:A'],
      'unexpected argument "b": one IMAGE at a time\n' +
        'Usage: habitus prove IMAGE --secret SOURCE [--base BASE] [--proof FILE]',
    ],
    [['app', '--no-proof'], 'unknown flag "--no-proof"\n"habitus prove --help" lists all flags.'],
  ])('%j is refused', (argv, message) => {
    expect(errorOf('prove', ...argv)).toBe(message);
  });
});

describe('prove', () => {
  test('of a clean image says how much was searched, and exits with 0', async () => {
    let asked: ProveOptions | undefined;
    const said = await run(['prove', 'app', '--secret', 'env:TOKEN', '--base', '2'], {
      prove(options) {
        asked = options;
        options.emit?.({ at: 0, type: 'phase-started', phase: 'search', subject: 'app:latest' });
        options.emit?.({ at: 9, type: 'phase-finished', phase: 'search', bytes: 1000, durationMs: 9 });
        return Promise.resolve(CLEAN);
      },
    });
    expect(said).toEqual({
      code: 0,
      out: '✓ clean: no trace of 1 secret (2 layers, 40.1 MB searched)\n',
      err: 'searched app:latest · 1.0 kB in 9 ms\n',
    });
    expect(asked).toMatchObject({ image: 'app', base: '2', signal: { aborted: false } });
  });

  test('tells each trace with its place, and what was not proven, and exits with 1', async () => {
    const argv = ['prove', 'app', '--secret', 'env:TOKEN', '--secret', 'file:id', '--secret', 'env:PIN'];
    const { code, out } = await run(argv, { prove: () => Promise.resolve(FOUND) });
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "found: env:TOKEN (base64) in file › app/lib.jar › cfg.json
        layer  sha256:bb
        by     RUN make
      found: file:id (raw) in label › maintainer
      not proven: env:PIN is too short to be told from chance
      not searched: big.zst: Node cannot open zstd here
      ✗ not clean: 2 traces of secrets (2 layers, 40.1 MB searched)
      "
    `);
  });

  test('counts a secret once, however often it is named', () => {
    const secret = { name: 'env:A', source: { env: 'A' } };
    const lines = describeProof({ image: 'x', secrets: [secret, secret] }, CLEAN);
    expect(lines).toEqual(['✓ clean: no trace of 1 secret (2 layers, 40.1 MB searched)']);
  });

  test('gives the result as JSON with --json', async () => {
    const argv = ['prove', 'app', '--secret', 'env:TOKEN', '--json'];
    const { code, out } = await run(argv, { prove: () => Promise.resolve(FOUND) });
    expect([code, JSON.parse(out)]).toEqual([1, FOUND]);
  });

  test('of an image that is not there says so', async () => {
    const { code, err } = await run(['prove', 'app', '--secret', 'env:TOKEN'], {
      prove: () => Promise.reject(new UsageError('there is no image "app"', { hint: 'Pull it.' })),
    });
    expect({ code, err }).toEqual({ code: 2, err: 'error: there is no image "app"\n  → Pull it.\n' });
  });
});

test('the password of the secrets service is shown nowhere, whatever goes wrong', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'habitus-cli-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const log = join(folder, 'log');
  const password = ['--password-secret-server', 'hunter2'];
  const ways = [
    [...password, '--log-level', 'debug'],
    [...password, '--log-level', 'debug', '--log-file', log, '--progress', 'json'],
    [...password, '--no-such-flag'],
    [...password, 'stray'],
    ['--password-secret-serve=hunter2'],
    [...password, '--password-secret-server'],
    [...password, '-d', join(folder, 'nowhere')],
  ];
  for (const args of ways) {
    const said = await run(args, { build: () => Promise.reject(new Error('a bug')) });
    expect(said.code).not.toBe(0);
    expect(said.err).not.toBe('');
    expect(said.out + said.err).not.toContain('hunter2');
  }
  expect(await readFile(log, 'utf8')).not.toContain('hunter2');
});

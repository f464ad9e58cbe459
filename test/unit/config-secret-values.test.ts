/** Secrets in build args and Dockerfiles are found before the build, and shown to nobody. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/config/diagnostic.js';
import { loadPlan, type LoadedPlan } from '../../src/config/load.js';
import { maskedPlace } from '../../src/config/masked-place.js';
import { renderDiagnostic } from '../../src/config/render.js';
import { refuseSecretValues } from '../../src/config/secret-values.js';
import { SourceText, type Range } from '../../src/config/source.js';
import type { Secret } from '../../src/core/secrets.js';
import { newestSteps, options, project, steps, type Files } from './config-project.js';

function secret(name: string, value: string | Buffer, type: Secret['type'] = 'env'): Secret {
  return { name, type, value: Buffer.from(value), digest: '00' };
}

const TOKEN = secret('npm_token', 'hunter2-hunter2');

function refuse(
  { plan, locateArg }: LoadedPlan,
  ...given: [readonly Secret[], Readonly<Record<string, string>>]
): Promise<void> {
  return refuseSecretValues({ plan, locateArg: () => Promise.resolve(locateArg) }, ...given);
}

/** All problems as users read them; empty when the build may begin. */
async function found(
  files: Files,
  secrets: readonly Secret[] = [TOKEN],
  buildArgs: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = await project({ 'build.yml': steps('a: { name: app }'), ...files });
  const loaded = await loadPlan(options(folder, { buildArgs: new Map(Object.entries(buildArgs)) }));
  try {
    await refuse(loaded, secrets, buildArgs);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.diagnostics
      .map((each) => renderDiagnostic(each, { color: false, cwd: folder }))
      .join('\n')
      .replaceAll(folder, '.');
  }
  return '';
}

const dockerfile = (text: string, ...secrets: Secret[]) =>
  found({ Dockerfile: text }, secrets.length === 0 ? [TOKEN] : secrets);

describe('a secret is found', () => {
  test('in --build, in args of a step, and in ENV, ARG and LABEL', async () => {
    const files = {
      'build.yml': steps('a:\n  name: app\n  args:\n    TOKEN: "x hunter2-hunter2"\n    OTHER: fine'),
      Dockerfile:
        'ARG T=hunter2-hunter2\nFROM scratch\nENV A=1 \\\n  B="my hunter2-hunter2"\nLABEL of.it hunter2-hunter2 too\n',
    };
    expect(await found(files, [TOKEN], { KEY: 'hunter2-hunter2', OTHER: 'x' })).toMatchInlineSnapshot(`
      "build.yml: error: --build KEY holds the value of the secret "npm_token"
         = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service
      build.yml:7:16: error: "TOKEN" of "args" of step "a" holds the value of the secret "npm_token"
        7 |         TOKEN: ***
          |                ^~~
          = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service
      Dockerfile:1:5: error: ARG T holds the value of the secret "npm_token"
        1 | ARG T=***
          |     ^~~~~
          = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service
      Dockerfile:4:3: error: ENV B holds the value of the secret "npm_token"
        4 |   B=***
          |   ^~~~~
          = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service
      Dockerfile:5:7: error: LABEL of.it holds the value of the secret "npm_token"
        5 | LABEL of.it ***
          |       ^~~~~~~~~
          = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service"
    `);
  });

  test('in an arg whose value came from _env()', async () => {
    const folder = await project({ 'build.yml': steps('a: { name: app, args: { T: _env(T), U: yes } }') });
    const env = { source: 'process', variables: new Map([['T', 'hunter2-hunter2']]) } as const;
    const loaded = await loadPlan(options(folder, { env }));
    await expect(refuse(loaded, [TOKEN], {})).rejects.toThrow(
      '"T" of "args" of step "a" holds the value of the secret "npm_token"',
    );
  });

  test('spelt with quotes, escapes and continuations, which are hidden as a whole', async () => {
    const shown = await dockerfile(
      'FROM scratch\nENV A=hun"ter2"-hunter\\2 B=hunter2\\\n-hunter2 C=hunter2-hunter\\2\n',
    );
    expect(shown).toMatchInlineSnapshot(`
      "Dockerfile:2:5: error: ENV A holds the value of the secret "npm_token"
        2 | ENV A=*** B=***
          |     ^~~~~
          = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service
      Dockerfile:2:26: error: ENV B holds the value of the secret "npm_token"
        2 | ENV A=*** B=***
          |           ^~~~~
          = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service
      Dockerfile:3:10: error: ENV C holds the value of the secret "npm_token"
        3 | *** C=***
          |     ^~~~~
          = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service"
    `);
  });

  test('behind ONBUILD, and behind a byte order mark and other letters at its place', async () => {
    expect(await dockerfile('\ufeffARG é=hunter2-hunter2\nFROM scratch\nONBUILD ENV X=hunter2-hunter2\n'))
      .toMatchInlineSnapshot(`
        "Dockerfile:1:5: error: ARG é holds the value of the secret "npm_token"
          1 | ARG é=***
            |     ^~~~~
            = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service
        Dockerfile:3:13: error: ENV X holds the value of the secret "npm_token"
          3 | ONBUILD ENV X=***
            |             ^~~~~
            = it would stay in the image; remove it here and let RUN read it: --mount=type=secret,id=npm_token, or /v1/secrets/env/npm_token of the secrets service"
      `);
  });

  test('by one of its lines, when it has several', async () => {
    const key = secret('key', '-----BEGIN X-----\nAAAABBBBCCCCDDDD\nEEEE\n-----END X-----\n', 'file');
    expect(await dockerfile('FROM scratch\nENV K=AAAABBBBCCCCDDDD\n', key)).toContain(
      'ENV K holds the value',
    );
    expect(await dockerfile('FROM scratch\nENV K=EEEE H="-----BEGIN X-----"\n', key)).toBe('');
  });

  test('when it is short only as the whole value', async () => {
    expect(await dockerfile('FROM scratch\nENV E=development P=developer\n', secret('env', 'dev'))).toBe('');
    expect(await dockerfile('FROM scratch\nENV E="dev"\n', secret('env', 'dev\n'))).toContain('ENV E holds');
  });

  test('once in a Dockerfile that two steps use, and every secret by its name', async () => {
    const files = {
      'build.yml': newestSteps('a: { name: a }\nb: { name: b }'),
      Dockerfile: 'FROM scratch\nENV X=hunter2-hunter2+second-one\n',
    };
    const shown = await found(files, [TOKEN, secret('other', 'second-one'), secret('third', 'third-one')]);
    expect(shown.match(/secret "\w+"/g)).toEqual(['secret "npm_token"', 'secret "other"']);
    expect(shown).not.toMatch(/hunter|second/);
  });
});

test('a Dockerfile that only names its secrets may be built', async () => {
  const text =
    '# hunter2-hunter2\nFROM scratch\nARG npm_token\nENV T=$npm_token E= F\nRUN echo "hunter2-hunter2"\nLABEL x="it\'s"\n';
  expect(await dockerfile(text)).toBe('');
});

test('secrets that are empty or no text are nowhere', async () => {
  const binary = Buffer.from([0xff, 0xfe, 0x41]);
  expect(
    await dockerfile('FROM scratch\nENV A= B=\ufffd\ufffdA\n', secret('e', '\n'), secret('b', binary)),
  ).toBe('');
});

test('a masked line shows nothing of what is hidden, with the mark inside of it', () => {
  const word = fc.constantFrom('hunter2', 'ab', 'x', ' ');
  const ranges = fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 10 }),
      ranges,
      fc.nat(40),
      fc.nat(20),
      (words, hidden, at, size) => {
        const line = words.join('');
        const source = new SourceText('/f', `first\n${line}\nlast`);
        const from = 6 + Math.min(at, line.length);
        const range: Range = [from, from + size];
        const shown = maskedPlace(
          source,
          range,
          hidden.map(([a, b]): Range => [a, a + b]),
          ['hunter2'],
        );
        expect(shown.text).not.toContain('hunter2');
        expect(shown.line).toBe(2);
        expect(shown.length).toBeGreaterThanOrEqual(1);
        const mark = shown.mark ?? shown.column;
        expect(mark - 1).toBeLessThanOrEqual(shown.text.length);
        expect(mark - 1 + shown.length).toBeLessThanOrEqual(Math.max(shown.text.length, mark));
        for (const [start, length] of hidden) {
          const visible = line.slice(0, Math.max(0, start - 6)) + line.slice(Math.max(0, start + length - 6));
          expect(shown.text.replaceAll('***', '').length).toBeLessThanOrEqual(visible.length);
        }
      },
    ),
  );
});

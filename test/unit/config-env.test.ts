import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseEnvironment, interpolate, type Environment } from '../../src/config/interpolate.js';
import { load, loadStep, problemsOf, steps } from './config-project.js';

function environment(
  variables: Readonly<Record<string, string>>,
  source: Environment['source'] = 'process',
): Environment {
  return { source, variables: new Map(Object.entries(variables)) };
}

const HOME = { env: environment({ HOME: '/home/me', EMPTY: '', ODD: 'a: b # c\n- "d\'', NAME: 'app' }) };

test('_env(NAME) stands for the variable in values and in keys', async () => {
  const step = await loadStep(
    steps(`
_env(NAME)-step:
  name: _env(NAME)
  args: { _env(NAME): "x _env(HOME) _env(HOME)/y", B: _env(ODD) }
  command: |
    cd _env(HOME)
    ls
`),
    HOME,
  );
  expect(step).toMatchObject({
    label: 'app-step',
    imageName: 'app:latest',
    args: { app: 'x /home/me /home/me/y', B: 'a: b # c\n- "d\'' },
    command: 'cd /home/me\nls\n',
  });
});

test('a default stands for a variable that is unset or empty, as in a shell', () => {
  const { env } = HOME;
  const replaced = (text: string): string => interpolate(text, env, false).text;
  expect(replaced('_env(NOPE:-x)|_env(EMPTY:-y)|_env(HOME:-z)')).toBe('x|y|/home/me');
  expect(replaced('_env(NOPE:-)|_env(NOPE:-a:-b)|_env(EMPTY)|_env( HOME )')).toBe('|a:-b||/home/me');
});

test('values are put in as they are and not searched again', () => {
  const env = environment({ A: '_env(B)', B: '$& $1 _env(A)' });
  expect(interpolate('_env(A) _env(B)', env, false).text).toBe('_env(B) $& $1 _env(A)');
});

test('what is no call stays as it is', () => {
  const { env } = HOME;
  for (const text of ['_env', '_env(HOME', 'env(HOME)', '_ENV(HOME)', '${HOME}']) {
    expect(interpolate(text, env, false)).toEqual({ text, variables: [], failures: [] });
  }
});

test('comments are no values: what they name need not be set', async () => {
  expect((await loadStep(`# _env(NOPE)\n${steps('a: { name: app } # _env(NOPE)')}`)).label).toBe('a');
});

test('a value that is a word of YAML is still the text that it is', async () => {
  const env = environment({ YES: 'yes', NULL: 'null', LIST: '[a, b]', ALIAS: '*a' });
  const step = await loadStep(
    steps('a: { name: app, no_cache: _env(YES), args: { A: _env(NULL), B: _env(LIST), C: _env(ALIAS) } }'),
    { env },
  );
  expect(step.noCache).toBe(true);
  expect(step.args).toEqual({ A: 'null', B: '[a, b]', C: '*a' });
});

test('unset variables are told one by one, each at its place, however the text is quoted', async () => {
  const file = steps(`
a:
  name: app
  command: "x \\t _env(NAME) \\u0041 _env(MISSING_1) _env()"
  args:
    _env(MISSING_2): |
      one
      two _env(MISSING_3)
    B: 'it''s _env(MISSING_4:-given) _env(MISSING_5)'
`);
  expect(await problemsOf(file, HOME)).toMatchInlineSnapshot(`
    "build.yml:6:40: error: the environment variable MISSING_1 is not set
      6 |       command: "x \\t _env(NAME) \\u0041 _env(MISSING_1) _env()"
        |                                        ^~~~~~~~~~~~~~~
        = set it, give a default with _env(MISSING_1:-default), or pass --allow-unset-env
    build.yml:6:56: error: "_env()" names no variable
      6 |       command: "x \\t _env(NAME) \\u0041 _env(MISSING_1) _env()"
        |                                                        ^~~~~~
        = write _env(NAME), or _env(NAME:-default)
    build.yml:8:9: error: the environment variable MISSING_2 is not set
      8 |         _env(MISSING_2): |
        |         ^~~~~~~~~~~~~~~
        = set it, give a default with _env(MISSING_2:-default), or pass --allow-unset-env
    build.yml:10:15: error: the environment variable MISSING_3 is not set
      10 |           two _env(MISSING_3)
         |               ^~~~~~~~~~~~~~~
         = set it, give a default with _env(MISSING_3:-default), or pass --allow-unset-env
    build.yml:11:42: error: the environment variable MISSING_5 is not set
      11 |         B: 'it''s _env(MISSING_4:-given) _env(MISSING_5)'
         |                                          ^~~~~~~~~~~~~~~
         = set it, give a default with _env(MISSING_5:-default), or pass --allow-unset-env"
  `);
});

test('with --env only the variables so given count, and the hint says so', async () => {
  const env = chooseEnvironment(new Map([['A', 'a=b']]), { HOME: '/home/me' });
  expect(interpolate('_env(A)', env, false).text).toBe('a=b');
  expect(await problemsOf(steps('a: { name: app, command: _env(HOME) }'), { env })).toMatchInlineSnapshot(`
    "build.yml:4:30: error: the variable HOME is not among those given with --env
      4 |     a: { name: app, command: _env(HOME) }
        |                              ^~~~~~~~~~
        = add --env HOME=VALUE (with --env, only the variables so given count), give a default with _env(HOME:-default), or pass --allow-unset-env"
  `);
});

test('without --env the variables of the process count', () => {
  const env = chooseEnvironment(new Map(), { HOME: '/home/me', GONE: undefined });
  expect(interpolate('_env(HOME)', env, false).text).toBe('/home/me');
  expect(interpolate('_env(GONE)', env, false).failures).toHaveLength(1);
});

test('--allow-unset-env makes unset variables empty texts, as in the original; a default still counts', async () => {
  const step = await loadStep(
    steps('a: { name: app, target: _env(NOPE), command: "x_env(NOPE)y_env(NOPE:-z)" }'),
    {
      allowUnsetEnv: true,
    },
  );
  expect([step.target, step.command]).toEqual([undefined, 'xyz']);
});

test('keys that become the same by _env() are told', async () => {
  expect(await problemsOf(steps('a: { name: app, args: { app: 1, _env(NAME): 2 } }'), HOME))
    .toMatchInlineSnapshot(`
    "build.yml:4:37: error: the key "app" occurs twice
      4 |     a: { name: app, args: { app: 1, _env(NAME): 2 } }
        |                                     ^~~~~~~~~~
        = it is in line 4 already"
  `);
});

test('no value of a variable changes the structure of the file', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (value) => {
      const { plan } = await load(
        steps(
          'a:\n  name: app\n  args: { X: _env(V), Y: "_env(V)", Z: 1 }\n  command: >-\n    run _env(V)\nb: { name: b }',
        ),
        { env: environment({ V: value }) },
      );
      const [a, b] = plan.steps;
      expect(plan.steps).toHaveLength(2);
      expect(a?.args).toEqual({ X: value, Y: value, Z: '1' });
      expect(a?.command).toBe(`run ${value}`);
      expect(b?.label).toBe('b');
    }),
    { numRuns: 50 },
  );
});

test('a text without calls never changes', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!text.includes('_env('));
      expect(interpolate(text, environment({}), false)).toEqual({ text, variables: [], failures: [] });
    }),
  );
});

test('a megabyte of unclosed calls is read in no time', () => {
  const text = '_env('.repeat(200_000);
  const start = performance.now();
  expect(interpolate(text, environment({}), false).text).toBe(text);
  expect(performance.now() - start).toBeLessThan(20_000);
});

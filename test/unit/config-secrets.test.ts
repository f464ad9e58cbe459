/** `secrets` and `ssh` of a build file: their forms, what they come to in the plan, and what is refused. */
import { describe, expect, test } from 'vitest';
import { describePlan } from '../../src/config/describe.js';
import { load, loadStep, newestSteps, problemsOf, steps } from './config-project.js';

const COMMANDS = { secrets: { providers: ['file', 'env'], allowCommands: true } } as const;

/** A build file of the newest version with secrets of the whole build. */
function withBuildSecrets(secrets: string, lines: string): string {
  return newestSteps(lines).replace('  steps:', `  secrets: ${secrets}\n  steps:`);
}

describe('secrets of a step', () => {
  test('of old files are a path, or the part of a variable behind HABITUS_', async () => {
    const step = await loadStep(
      steps(`
a:
  name: app
  secrets:
    key: { type: file, value: /keys/id }
    home: { type: file, value: ~/.ssh/id }
    near: { type: file, value: keys/../id }
    token: { type: env, value: TOKEN }
`),
    );
    expect(step.secrets).toEqual([
      { name: 'key', type: 'file', value: '/keys/id' },
      { name: 'home', type: 'file', value: '/home/me/.ssh/id' },
      { name: 'near', type: 'file', value: `${step.context}/id` },
      { name: 'token', type: 'env', value: 'HABITUS_TOKEN' },
    ]);
  });

  test('in the short forms are this very variable, a path, or a command line', async () => {
    const step = await loadStep(
      newestSteps(`
a:
  name: app
  secrets: { token: { env: NPM_TOKEN }, rc: { file: ~/.npmrc }, op: { command: "op read x | tr -d ' '" } }
`),
      COMMANDS,
    );
    expect(step.secrets).toEqual([
      { name: 'token', type: 'env', value: 'NPM_TOKEN' },
      { name: 'rc', type: 'file', value: '/home/me/.npmrc' },
      { name: 'op', type: 'command', value: "op read x | tr -d ' '" },
    ]);
  });

  test('may be those of the build, in a list, alone, or among its own', async () => {
    const { plan } = await load(
      withBuildSecrets(
        '{ npm: { env: NPM }, rc: { type: file, value: .npmrc } }',
        `
list: { name: list, secrets: [rc, npm, npm] }
alone: { name: alone, secrets: npm }
mixed: { name: mixed, secrets: { rc: , npm: { env: OTHER } } }
none: { name: none, secrets: "" }
`,
      ),
    );
    const rc = { name: 'rc', type: 'file', value: `${plan.workDirectory}/.npmrc` };
    const npm = { name: 'npm', type: 'env', value: 'NPM' };
    expect(plan.steps.map(({ label, secrets }) => [label, secrets])).toEqual([
      ['list', [rc, npm]],
      ['alone', [npm]],
      ['mixed', [rc, { ...npm, value: 'OTHER' }]],
      ['none', []],
    ]);
  });

  test('are shown by --print with where they come from', async () => {
    const { plan } = await load(
      newestSteps('a: { name: app, secrets: { t: { env: T } }, ssh: { github: [/a, /b] } }'),
    );
    expect(describePlan(plan)).toMatchObject({
      steps: [
        {
          secrets: [{ name: 't', type: 'env', value: 'T' }],
          ssh: [{ id: 'github', sources: ['/a', '/b'] }],
        },
      ],
    });
  });
});

describe('refused are', () => {
  test('names that the build does not declare', async () => {
    const file = withBuildSecrets(
      '{ npm_token: { env: T } }',
      'a: { name: app, secrets: [npm_tokn, npm_token] }\nb: { name: b, secrets: { other: } }',
    );
    expect(await problemsOf(file)).toMatchInlineSnapshot(`
      "build.yml:5:31: error: step "a" names the secret "npm_tokn", which the build does not declare
        5 |     a: { name: app, secrets: [npm_tokn, npm_token] }
          |                               ^~~~~~~~
          = did you mean "npm_token"?
      build.yml:6:30: error: step "b" names the secret "other", which the build does not declare
        6 |     b: { name: b, secrets: { other: } }
          |                              ^~~~~
          = "secrets" of "build" has npm_token"
    `);
    expect(await problemsOf(newestSteps('a: { name: app, secrets: [x] }'))).toMatchInlineSnapshot(`
      "build.yml:4:31: error: step "a" names the secret "x", which the build does not declare
        4 |     a: { name: app, secrets: [x] }
          |                               ^
          = declare it in "secrets" of "build""
    `);
  });

  test('secrets without a source, with two, and with what is none', async () => {
    const file = withBuildSecrets(
      '{ text: T, none: {}, "a/b": { env: X }, "..": { env: X }, slip: { envv: X } }',
      `
a:
  name: app
  secrets:
    both: { env: A, file: b }
    mixed: { type: env, value: A, command: b }
    half: { type: env }
    other: { value: x }
    empty: { file: "" }
    given: { env: _env(TOKEN) }
    dollar: { env: $TOKEN }
b: { name: b, secrets: [{ env: X }] }
`,
    );
    const env = { source: 'process', variables: new Map([['TOKEN', 'hunter-2']]) } as const;
    const problems = await problemsOf(file, { env });
    expect(problems).toMatchInlineSnapshot(`
      "build.yml:3:20: error: "text" of "secrets" must be a mapping, not a text
        3 |   secrets: { text: T, none: {}, "a/b": { env: X }, "..": { env: X }, slip: { envv: X } }
          |                    ^
          = write { env: NAME } or { file: PATH }
      build.yml:3:23: error: "none" of "secrets" does not say where its value comes from
        3 |   secrets: { text: T, none: {}, "a/b": { env: X }, "..": { env: X }, slip: { envv: X } }
          |                       ^~~~
          = write { env: NAME } or { file: PATH }
      build.yml:3:33: error: the secret "a/b" of "build" needs a name without "/"
        3 |   secrets: { text: T, none: {}, "a/b": { env: X }, "..": { env: X }, slip: { envv: X } }
          |                                 ^~~~~
          = choose another name
      build.yml:3:52: error: the secret ".." of "build" needs a name without "/"
        3 |   secrets: { text: T, none: {}, "a/b": { env: X }, "..": { env: X }, slip: { envv: X } }
          |                                                    ^~~~
          = choose another name
      build.yml:3:78: error: unknown key "envv" in "slip" of "secrets"
        3 |   secrets: { text: T, none: {}, "a/b": { env: X }, "..": { env: X }, slip: { envv: X } }
          |                                                                              ^~~~
          = did you mean "env"?
      build.yml:8:9: error: "both" of "secrets" of step "a" has "env" and "file"
        8 |         both: { env: A, file: b }
          |         ^~~~
          = keep one of them: a secret has one source
      build.yml:9:9: error: "mixed" of "secrets" of step "a" has "type" and "command"
        9 |         mixed: { type: env, value: A, command: b }
          |         ^~~~~
          = keep one of them: a secret has one source
      build.yml:10:9: error: "half" of "secrets" of step "a" has no "value"
        10 |         half: { type: env }
           |         ^~~~
      build.yml:11:9: error: "other" of "secrets" of step "a" has no "type"
        11 |         other: { value: x }
           |         ^~~~~
      build.yml:12:24: error: "file" of "empty" of "secrets" of step "a" is empty
        12 |         empty: { file: "" }
           |                        ^~
      build.yml:13:23: error: "env" of "given" of "secrets" of step "a" is not the name of a variable
        13 |         given: { env: _env(TOKEN) }
           |                       ^~~~~~~~~~~
           = write the name alone, such as { env: NPM_TOKEN }, without "$" and "_env()"
      build.yml:14:24: error: "env" of "dollar" of "secrets" of step "a" is not the name of a variable
        14 |         dollar: { env: $TOKEN }
           |                        ^~~~~~
           = write the name alone, such as { env: NPM_TOKEN }, without "$" and "_env()"
      build.yml:15:29: error: item 1 of "secrets" of step "b" must be a text, not a mapping
        15 |     b: { name: b, secrets: [{ env: X }] }
           |                             ^~~~~~~~~~"
    `);
    expect(problems).not.toContain('hunter');
  });

  test('commands, unless they are allowed', async () => {
    const file = withBuildSecrets(
      '{ op: { command: op read x } }',
      'a: { name: app, secrets: { gh: { command: gh auth token } } }',
    );
    expect(await problemsOf(file)).toMatchInlineSnapshot(`
      "build.yml:3:14: error: "op" of "secrets" runs a command on this machine, which is not allowed
        3 |   secrets: { op: { command: op read x } }
          |              ^~
          = pass --allow-secret-commands to allow it
      build.yml:5:32: error: "gh" of "secrets" of step "a" runs a command on this machine, which is not allowed
        5 |     a: { name: app, secrets: { gh: { command: gh auth token } } }
          |                                ^~
          = pass --allow-secret-commands to allow it"
    `);
    expect(await problemsOf(file, COMMANDS)).toBe('');
  });

  test('types that are not among the providers', async () => {
    const file = newestSteps('a: { name: app, secrets: { k: { file: x }, t: { env: T } } }');
    const only = (...providers: ('file' | 'env')[]) =>
      problemsOf(file, { secrets: { providers, allowCommands: false } });
    expect(await only('env')).toMatchInlineSnapshot(`
      "build.yml:4:32: error: "k" of "secrets" of step "a" is of type "file", which is not allowed
        4 |     a: { name: app, secrets: { k: { file: x }, t: { env: T } } }
          |                                ^
          = allow it with --sec-providers file,env"
    `);
    expect(await only()).toMatchInlineSnapshot(`
      "build.yml:4:32: error: "k" of "secrets" of step "a" is of type "file", which is not allowed
        4 |     a: { name: app, secrets: { k: { file: x }, t: { env: T } } }
          |                                ^
          = leave out --secrets=false
      build.yml:4:48: error: "t" of "secrets" of step "a" is of type "env", which is not allowed
        4 |     a: { name: app, secrets: { k: { file: x }, t: { env: T } } }
          |                                                ^
          = leave out --secrets=false"
    `);
    expect(await only('file', 'env')).toBe('');
  });

  test('what is too new for the version of the file', async () => {
    const file = withBuildSecrets(
      '{ npm: { env: N } }',
      `
a: { name: app, secrets: [npm], ssh: true }
b: { name: b, secrets: { npm: , k: { file: x }, old: { type: env, value: X } } }
`,
    ).replace('2026-11-22', '2016-03-14');
    expect(await problemsOf(file)).toMatchInlineSnapshot(`
      "build.yml:3:3: error: "secrets" needs version 2026-11-22
        3 |   secrets: { npm: { env: N } }
          |   ^~~~~~~
          = write "version: 2026-11-22"
      build.yml:5:21: error: the list form of "secrets" of step "a" needs version 2026-11-22
        5 |     a: { name: app, secrets: [npm], ssh: true }
          |                     ^~~~~~~
          = write "version: 2026-11-22"
      build.yml:5:37: error: "ssh" of step "a" needs version 2026-11-22
        5 |     a: { name: app, secrets: [npm], ssh: true }
          |                                     ^~~
          = write "version: 2026-11-22"
      build.yml:6:30: error: the short form of "npm" of "secrets" of step "b" needs version 2026-11-22
        6 |     b: { name: b, secrets: { npm: , k: { file: x }, old: { type: env, value: X } } }
          |                              ^~~
          = write "version: 2026-11-22"
      build.yml:6:37: error: the short form of "k" of "secrets" of step "b" needs version 2026-11-22
        6 |     b: { name: b, secrets: { npm: , k: { file: x }, old: { type: env, value: X } } }
          |                                     ^
          = write "version: 2026-11-22""
    `);
  });
});

describe('ssh of a step', () => {
  const ssh = async (written: string) => {
    const { ssh: specs, context } = await loadStep(newestSteps(`a: { name: app, ssh: ${written} }`));
    return specs.map(({ id, sources }) => [id, ...sources].join(' ').replaceAll(context, '.'));
  };

  test.each([
    ['true', ['default']],
    ['yes', ['default']],
    ['false', []],
    ['~', []],
    ['default', ['default']],
    ['default=/run/agent.sock', ['default /run/agent.sock']],
    ['[default, github=~/.ssh/id_ed25519]', ['default', 'github /home/me/.ssh/id_ed25519']],
    ['["two=keys/a,/b", x=a=b]', ['two ./keys/a /b', 'x ./a=b']],
    ['{ default: , github: ~/.ssh/id, two: [a, b] }', ['default', 'github /home/me/.ssh/id', 'two ./a ./b']],
  ])('%s is as docker build --ssh has it', async (written, specs) => {
    expect(await ssh(written)).toEqual(specs);
  });

  test('is refused where it is none of these', async () => {
    const file = newestSteps(`
a: { name: a, ssh: [=x, "a,b", x=] }
b: { name: b, ssh: [twice, twice=/b] }
c: { name: c, ssh: { "a,b": x, c: "" } }
d: { name: d, ssh: { d: {} } }
e: { name: e, ssh: "=x" }
`);
    expect(await problemsOf(file)).toMatchInlineSnapshot(`
      "build.yml:4:25: error: item 1 of "ssh" of step "a" has no ID
        4 |     a: { name: a, ssh: [=x, "a,b", x=] }
          |                         ^~
          = write "default", "ID=SOCKET" or "ID=KEY,KEY"
      build.yml:4:29: error: item 2 of "ssh" of step "a" has a "," in its ID
        4 |     a: { name: a, ssh: [=x, "a,b", x=] }
          |                             ^~~~~
          = write "default", "ID=SOCKET" or "ID=KEY,KEY"
      build.yml:4:36: error: item 3 of "ssh" of step "a" has an empty path
        4 |     a: { name: a, ssh: [=x, "a,b", x=] }
          |                                    ^~
          = write "default", "ID=SOCKET" or "ID=KEY,KEY"
      build.yml:5:32: error: item 2 of "ssh" of step "b" repeats the ID "twice"
        5 |     b: { name: b, ssh: [twice, twice=/b] }
          |                                ^~~~~~~~
          = give all its keys in one item: ID=KEY,KEY
      build.yml:6:33: error: "a,b" of "ssh" of step "c" has a "," in its ID
        6 |     c: { name: c, ssh: { "a,b": x, c: "" } }
          |                                 ^
      build.yml:6:39: error: "c" of "ssh" of step "c" has an empty path
        6 |     c: { name: c, ssh: { "a,b": x, c: "" } }
          |                                       ^~
      build.yml:7:26: error: "d" of "ssh" of step "d" must be a list, not a mapping
        7 |     d: { name: d, ssh: { d: {} } }
          |                          ^
      build.yml:8:24: error: "ssh" of step "e" has no ID
        8 |     e: { name: e, ssh: "=x" }
          |                        ^~~~
          = write "default", "ID=SOCKET" or "ID=KEY,KEY""
    `);
  });
});

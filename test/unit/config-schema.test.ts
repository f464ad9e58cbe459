import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { editorSchema } from '../../src/config/schema.js';
import { load, loadStep, problemsOf, steps } from './config-project.js';

const COMMITTED = new URL('../../docs/build.schema.json', import.meta.url);

test('docs/build.schema.json is what the schema says; HABITUS_UPDATE_SCHEMA=1 writes it anew', async () => {
  const current = editorSchema();
  if (process.env['HABITUS_UPDATE_SCHEMA'] === '1')
    await writeFile(COMMITTED, JSON.stringify(current, null, 2));
  expect(JSON.parse(await readFile(COMMITTED, 'utf8'))).toEqual(current);
});

test('editors learn every key of a step, and that no other exists', () => {
  const text = JSON.stringify(editorSchema());
  for (const key of ['name', 'dockerfile', 'context', 'target', 'args', 'no_cache', 'secrets', 'ssh']) {
    expect(text).toContain(`"${key}":`);
  }
  for (const key of ['artifacts', 'cleanup', 'depends_on', 'command', 'after_build_command', 'keep']) {
    expect(text).toContain(`"${key}":`);
  }
  expect(text).toContain('"additionalProperties":false');
});

test('all keys of a step arrive in the plan', async () => {
  const step = await loadStep(
    {
      'build.yml': steps(`
builder:
  name: registry.example:5000/team/app:1.2
  dockerfile: Dockerfile.builder
  context: sub/dir
  target: compile
  args: { VERSION: 1.10, DEBUG: yes, EMPTY: , OCTAL: 010, QUOTED: "x" }
  no_cache: true
  secrets:
    id_rsa: { type: file, value: /home/me/.ssh/id_rsa }
    token: { type: env, value: TOKEN }
  artifacts:
    - /go/bin/app
    - /out/conf/:etc/conf/
  cleanup:
    commands:
      - rm -rf /root/.ssh
      - [rm, -rf, 10]
  command: ./upload
  after_build_command: ./notify.sh
  keep: false
`),
      'sub/dir/Dockerfile.builder': 'FROM scratch AS compile\n',
      'sub/dir/.dockerignore': 'x\n',
    },
    { allowAfterBuildCommands: true },
  );
  expect(step).toMatchObject({
    label: 'builder',
    imageName: 'registry.example:5000/team/app:1.2',
    dependsOn: [],
    target: 'compile',
    args: { VERSION: '1.10', DEBUG: 'yes', EMPTY: '', OCTAL: '010', QUOTED: 'x' },
    noCache: true,
    secrets: [
      { name: 'id_rsa', type: 'file', value: '/home/me/.ssh/id_rsa' },
      { name: 'token', type: 'env', value: 'HABITUS_TOKEN' },
    ],
    artifacts: [
      { source: '/go/bin/app', destination: '' },
      { source: '/out/conf', destination: 'etc/conf' },
    ],
    cleanup: { commands: ['rm -rf /root/.ssh', ['rm', '-rf', '10']] },
    command: './upload',
    afterBuildCommand: './notify.sh',
    keep: false,
  });
  expect(step.context).toMatch(/\/sub\/dir$/);
  expect(step.dockerfile.path).toMatch(/\/sub\/dir\/Dockerfile\.builder$/);
  expect(step.dockerfile.content.toString()).toBe('FROM scratch AS compile\n');
  expect(step.dockerfile.ignore).toBe('x\n');
});

test('a step needs no more than a name', async () => {
  const step = await loadStep(steps('a: { name: app }'));
  expect(step).toMatchObject({
    label: 'a',
    imageName: 'app:latest',
    noCache: false,
    keep: true,
    artifacts: [],
    secrets: [],
  });
  expect(Object.keys(step)).not.toEqual(expect.arrayContaining(['target']));
  expect(step.cleanup).toBeUndefined();
  expect(step.dockerfile.ignore).toBeUndefined();
  expect(step.dockerfile.path).toBe(`${step.context}/Dockerfile`);
});

test('keys without a value, and texts that are empty, are as good as absent', async () => {
  const step = await loadStep(
    steps(`
a:
  name: app
  context:
  dockerfile: ""
  target: ""
  args:
  no_cache: ""
  secrets: ~
  artifacts:
  cleanup:
  depends_on: null
  command: ''
  after_build_command:
  keep:
`),
  );
  expect(step).toMatchObject({ noCache: false, keep: true, args: {}, artifacts: [], secrets: [] });
  expect([step.target, step.command, step.afterBuildCommand, step.cleanup]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test('an empty text leaves to the rule whether an image stays, and names no step and no artifact', async () => {
  const step = await loadStep(
    steps(`
a:
  name: app
  keep: _env(KEEP:-)
  command_cache: ""
  artifacts: ""
  depends_on: ""
`),
  );
  expect(step).toMatchObject({ keep: true, commandCache: false, artifacts: [], dependsOn: [] });
});

test.each([
  ['true', true],
  ['True', true],
  ['"true"', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['no', false],
  ['off', false],
])('no_cache: %s means %s, as in YAML 1.1', async (written, meant) => {
  const step = await loadStep(steps(`a: { name: app, no_cache: ${written} }`));
  expect(step.noCache).toBe(meant);
});

test.each(['2016-02-13', '2016-03-14', '2026-11-22', '"2016-03-14"', "'2016-03-14'", '!!str 2016-03-14'])(
  'version: %s is accepted, as a date and as a text',
  async (version) => {
    const step = await loadStep(`build:\n  version: ${version}\n  steps:\n    a:\n      name: app\n`);
    expect(step.label).toBe('a');
  },
);

test('an unknown version is refused with the known ones', async () => {
  expect(await problemsOf('build:\n  version: 2015-01-01\n  steps: { a: { name: app } }\n'))
    .toMatchInlineSnapshot(`
    "build.yml:2:12: error: unknown version "2015-01-01"
      2 |   version: 2015-01-01
        |            ^~~~~~~~~~
        = write one of 2016-02-13, 2016-03-14, 2026-11-22"
  `);
});

test('secrets need version 2016-03-14', async () => {
  const file = steps('a: { name: app, secrets: { k: { type: env, value: K } } }').replace(
    '2016-03-14',
    '2016-02-13',
  );
  expect(await problemsOf(file)).toMatchInlineSnapshot(`
    "build.yml:4:21: error: "secrets" of step "a" needs version 2016-03-14
      4 |     a: { name: app, secrets: { k: { type: env, value: K } } }
        |                     ^~~~~~~
        = write "version: 2016-03-14""
  `);
});

test('the lists of early files are steps, whether their keys stand below the label or beside it', async () => {
  const beside = await loadStep(steps('- builder:\n  name: app\n  no_cache: true'));
  const below = await loadStep(steps('- builder:\n    name: app\n    no_cache: true'));
  expect(beside).toMatchObject({ label: 'builder', imageName: 'app:latest', noCache: true });
  expect({ ...below, context: '', dockerfile: {} }).toEqual({ ...beside, context: '', dockerfile: {} });
});

test('places in a list of steps are those of the file, and a label that comes twice is told', async () => {
  const file = steps('- a:\n    name: app\n    comand: x\n- a:\n    name: other\n- just a text');
  expect(await problemsOf(file)).toMatchInlineSnapshot(`
    "build.yml:6:9: error: unknown key "comand" in step "a"
      6 |         comand: x
        |         ^~~~~~
        = did you mean "command"?
    build.yml:7:7: error: two steps have the label "a"
      7 |     - a:
        |       ^
        = give one of them another label
    build.yml:9:7: error: an item of "steps" must be a label with the keys of one step
      9 |     - just a text
        |       ^~~~~~~~~~~
        = write "- label:" with the keys of the step below"
  `);
});

test('a lone text stands for a list in depends_on and artifacts', async () => {
  const { plan } = await load(steps('a: { name: app, artifacts: /x }\nb: { name: other, depends_on: a }'));
  expect(plan.steps.map(({ label, dependsOn, artifacts }) => ({ label, dependsOn, artifacts }))).toEqual([
    { label: 'a', dependsOn: [], artifacts: [{ source: '/x', destination: '' }] },
    { label: 'b', dependsOn: ['a'], artifacts: [] },
  ]);
});

test('all problems of a file are told at once, each with its place and what to do', async () => {
  const file = steps(`
builder:
  name: Builder
  artefacts: [/a]
  no_cache: maybe
  args: { A: [x] }
  depends_on: [bilder]
  cleanup: { commands: rm -rf /x, comands: [] }
  secrets: { k: { typ: env, value: K }, "a/b": { type: fil, value: x } }
  artifacts: [/a:b:c, ":x", /, "/a:../b", {}]
web:
  dockerfile: Dockerfil
  weather: 5
  keep: [true]
third: text
fourth:
`);
  expect(await problemsOf(file)).toMatchInlineSnapshot(`
    "build.yml:5:13: error: "name" of step "builder" is not a valid image name: letters must be in lower case
      5 |       name: Builder
        |             ^~~~~~~
        = write "builder"
    build.yml:6:7: error: unknown key "artefacts" in step "builder"
      6 |       artefacts: [/a]
        |       ^~~~~~~~~
        = did you mean "artifacts"?
    build.yml:7:17: error: "no_cache" of step "builder" must be true or false, not "maybe"
      7 |       no_cache: maybe
        |                 ^~~~~
    build.yml:8:15: error: "A" of "args" of step "builder" must be a text, not a list
      8 |       args: { A: [x] }
        |               ^
    build.yml:9:20: error: step "builder" depends on "bilder", which is no step
      9 |       depends_on: [bilder]
        |                    ^~~~~~
        = did you mean "builder"?
    build.yml:10:28: error: "commands" of "cleanup" of step "builder" must be a list, not a text
      10 |       cleanup: { commands: rm -rf /x, comands: [] }
         |                            ^~~~~~~~~
         = write each on a line of its own: "- COMMAND"
    build.yml:10:39: error: unknown key "comands" in "cleanup" of step "builder"
      10 |       cleanup: { commands: rm -rf /x, comands: [] }
         |                                       ^~~~~~~
         = did you mean "commands"?
    build.yml:11:23: error: unknown key "typ" in "k" of "secrets" of step "builder"
      11 |       secrets: { k: { typ: env, value: K }, "a/b": { type: fil, value: x } }
         |                       ^~~
         = did you mean "type"?
    build.yml:11:60: error: unknown type "fil" of "a/b" of "secrets" of step "builder"
      11 |       secrets: { k: { typ: env, value: K }, "a/b": { type: fil, value: x } }
         |                                                            ^~~
         = did you mean "file"?
    build.yml:12:19: error: item 1 of "artifacts" of step "builder" has more than one ":"
      12 |       artifacts: [/a:b:c, ":x", /, "/a:../b", {}]
         |                   ^~~~~~
         = write SOURCE:DEST, or SOURCE alone
    build.yml:12:27: error: item 2 of "artifacts" of step "builder" has no source
      12 |       artifacts: [/a:b:c, ":x", /, "/a:../b", {}]
         |                           ^~~~
         = write SOURCE:DEST, or SOURCE alone
    build.yml:12:33: error: item 3 of "artifacts" of step "builder" is the whole image
      12 |       artifacts: [/a:b:c, ":x", /, "/a:../b", {}]
         |                                 ^
         = name a file or folder in the image
    build.yml:12:36: error: item 4 of "artifacts" of step "builder" would lie outside the work directory
      12 |       artifacts: [/a:b:c, ":x", /, "/a:../b", {}]
         |                                    ^~~~~~~~~
         = name a folder in the work directory, without ".." at its beginning
    build.yml:12:47: error: item 5 of "artifacts" of step "builder" must be a text, not a mapping
      12 |       artifacts: [/a:b:c, ":x", /, "/a:../b", {}]
         |                                               ^~
    build.yml:13:5: error: step "web" has no "name"
      13 |     web:
         |     ^~~
         = add the name of the image that the step builds, e.g. "name: app"
    build.yml:14:19: error: the Dockerfile "Dockerfil" of step "web" does not exist
      14 |       dockerfile: Dockerfil
         |                   ^~~~~~~~~
         = did you mean "Dockerfile"?
    build.yml:15:7: error: unknown key "weather" in step "web"
      15 |       weather: 5
         |       ^~~~~~~
         = known here: name, context, dockerfile, target, args, no_cache, secrets, ssh, artifacts, cleanup, squash, depends_on, command, command_cache, after_build_command, timeout, keep
    build.yml:16:7: error: "keep" of step "web" must be true or false, not a list
      16 |       keep: [true]
         |       ^~~~
    build.yml:17:12: error: step "third" must be a mapping, not a text
      17 |     third: text
         |            ^~~~
    build.yml:18:5: error: step "fourth" has no "name"
      18 |     fourth:
         |     ^~~~~~
         = add the name of the image that the step builds, e.g. "name: app""
  `);
});

test('a file of another shape is told what a build file looks like', async () => {
  expect(await problemsOf('')).toMatchInlineSnapshot(`
    "build.yml:1:1: error: the file is empty
      1 |
        | ^
        = a build file begins with "build:", and has "version" and "steps" in it"
  `);
  expect(await problemsOf('# nothing but a comment\n')).toMatchInlineSnapshot(`
    "build.yml:1:1: error: the file is empty
      1 | # nothing but a comment
        | ^
        = a build file begins with "build:", and has "version" and "steps" in it"
  `);
  expect(await problemsOf('just a text\n')).toMatchInlineSnapshot(`
    "build.yml:1:1: error: the file must be a mapping, not a text
      1 | just a text
        | ^~~~~~~~~~~
        = a build file begins with "build:", and has "version" and "steps" in it"
  `);
  expect(await problemsOf('- a\n')).toMatchInlineSnapshot(`
    "build.yml:1:1: error: the file must be a mapping, not a list
      1 | - a
        | ^
        = a build file begins with "build:", and has "version" and "steps" in it"
  `);
  expect(await problemsOf('buld:\n  version: 2016-03-14\n')).toMatchInlineSnapshot(`
    "build.yml:1:1: error: unknown key "buld" at the top of the file
      1 | buld:
        | ^~~~
        = did you mean "build"?"
  `);
  expect(await problemsOf('build:\n')).toMatchInlineSnapshot(`
    "build.yml:1:1: error: "build" is empty
      1 | build:
        | ^~~~~
        = a build file begins with "build:", and has "version" and "steps" in it"
  `);
  expect(await problemsOf('build:\n  steps: []\n')).toMatchInlineSnapshot(`
    "build.yml:1:1: error: "build" has no "version"
      1 | build:
        | ^~~~~
        = add "version: 2016-03-14" below "build:"
    build.yml:2:3: error: "steps" has no step
      2 |   steps: []
        |   ^~~~~
        = add a label for each step below "steps:""
  `);
  expect(await problemsOf('build:\n  version: 2016-03-14\n  steps: x\n')).toMatchInlineSnapshot(`
    "build.yml:3:10: error: "steps" must be a mapping, not a text
      3 |   steps: x
        |          ^"
  `);
});

test('work_dir had no effect and has none: a warning', async () => {
  const { warnings } = await load(
    'build:\n  version: 2016-03-14\n  work_dir: x\n  steps: { a: { name: app } }\n',
  );
  expect(warnings.map(({ message, hint }) => `${message}: ${hint ?? ''}`)).toEqual([
    '"work_dir" has no effect: pass the work directory with -d',
  ]);
});

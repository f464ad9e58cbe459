import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describePlan } from '../../src/config/describe.js';
import { loadPlan, type LoadedPlan } from '../../src/config/load.js';
import { load, loadStep, options, problemsOf, project, steps, type Files } from './config-project.js';

const labels = ({ plan }: LoadedPlan): string[] => plan.steps.map(({ label }) => label);
const kept = ({ plan }: LoadedPlan): string[] =>
  plan.steps.filter(({ keep }) => keep).map(({ label }) => label);

function step(loaded: LoadedPlan, label: string): LoadedPlan['plan']['steps'][number] {
  const found = loaded.plan.steps.find((candidate) => candidate.label === label);
  if (found === undefined) throw new Error(`no step ${label}`);
  return found;
}

test('steps come after what they depend on, else in the order of the file', async () => {
  const loaded = await load(
    steps(`
last: { name: last, depends_on: [middle, zero] }
middle: { name: middle, depends_on: [first] }
zero: { name: zero }
first: { name: first }
`),
  );
  expect(labels(loaded)).toEqual(['zero', 'first', 'middle', 'last']);
  expect(step(loaded, 'last').dependsOn).toEqual(['middle', 'zero']);
});

const STAGES = 'FROM scratch AS compile\nFROM scratch AS Ship\n';

test.each([
  ['complie', STAGES, '= did you mean "compile"?'],
  ['test', STAGES, '= the stages there are compile, ship'],
  ['ship', 'FROM scratch\n', '= no stage there has a name: write "FROM IMAGE AS NAME"'],
  ['x', `# syntax=docker/dockerfile:1\n${STAGES}`, '= the stages there are compile, ship'],
])('the target %s that is no stage is told with its place', async (target, dockerfile, hint) => {
  const problems = await problemsOf({
    'build.yml': steps(`app: { name: app, target: ${target} }\n`),
    Dockerfile: dockerfile,
  });
  expect(problems).toContain(
    `build.yml:4:31: error: the target "${target}" of step "app" is no stage of its Dockerfile\n`,
  );
  expect(problems).toContain(hint);
});

test.each([
  ['SHIP', STAGES],
  ['1', STAGES],
  ['anything', `# syntax=example.com/other\n${STAGES}`],
])('the target %s may be one', async (target, dockerfile) => {
  const step = await loadStep({
    'build.yml': steps(`app: { name: app, target: ${target} }\n`),
    Dockerfile: dockerfile,
  });
  expect(step.target).toBe(target);
});

test('depends_on takes labels and image names; where both exist and differ, the label wins', async () => {
  const loaded = await load(
    steps(`
builder: { name: base }
base: { name: registry.example/base:2 }
by-label: { name: x1, depends_on: [base] }
by-name: { name: x2, depends_on: [registry.example/base:2] }
by-normal-name: { name: x3, depends_on: ['docker.io/library/base:latest'] }
twice: { name: x4, depends_on: [builder, builder, 'base:latest'] }
`),
  );
  expect(loaded.plan.steps.map(({ label, dependsOn }) => [label, ...dependsOn])).toEqual([
    ['builder'],
    ['base'],
    ['by-label', 'base'],
    ['by-name', 'base'],
    ['by-normal-name', 'builder'],
    ['twice', 'builder'],
  ]);
});

test('every use of a step’s image in a Dockerfile is a dependency with its byte range, and stages are not', async () => {
  const content = `# ü
FROM debian AS stage
FROM --platform=linux/amd64 tools:1 AS other
COPY --from=docker.io/library/compile:latest /a /a
COPY --from=stage /a /b
RUN --mount=type=bind,from=compile,target=/m true
FROM app@sha256:${'0'.repeat(64)}
`;
  const loaded = await load({
    'build.yml': steps(`
app: { name: app }
final: { name: final, dockerfile: Dockerfile.final }
stage: { name: stage }
compile: { name: compile }
tools: { name: 'tools:1' }
`),
    'Dockerfile.final': content,
  });
  const { dockerfile, dependsOn } = step(loaded, 'final');
  expect(dependsOn).toEqual(['compile', 'tools']);
  const bytes = Buffer.from(content);
  expect(
    dockerfile.references.map(({ start, end, label }) => [bytes.subarray(start, end).toString(), label]),
  ).toEqual([
    ['tools:1', 'tools'],
    ['docker.io/library/compile:latest', 'compile'],
    ['compile', 'compile'],
  ]);
});

test('build args of the step count in FROM, over those of --build', async () => {
  const loaded = await load(
    {
      'build.yml': steps('one: { name: one, args: { BASE: two } }\ntwo: { name: two, dockerfile: two.df }'),
      Dockerfile: 'ARG BASE=debian\nFROM $BASE\n',
      'two.df': 'FROM scratch\n',
    },
    {
      buildArgs: new Map([
        ['BASE', 'nothing'],
        ['OTHER', 'a=b'],
      ]),
    },
  );
  expect(step(loaded, 'one').dependsOn).toEqual(['two']);
  expect(step(loaded, 'one').args).toEqual({ BASE: 'two', OTHER: 'a=b' });
  expect(step(loaded, 'two').args).toEqual({ BASE: 'nothing', OTHER: 'a=b' });
});

test('a step may build from the image of its own name, which is then the one that is there already', async () => {
  const loaded = await loadStep({ 'build.yml': steps('a: { name: app }'), Dockerfile: 'FROM app\n' });
  expect([loaded.dependsOn, loaded.dockerfile.references]).toEqual([[], []]);
});

test('with --uid names become NAME-X[:TAG] in lower case, and FROM still finds steps by the written name', async () => {
  const loaded = await load(
    {
      'build.yml': steps(
        "Base: { name: 'localhost:5000/Team/Base:V1', dockerfile: base.df }\nApp: { name: App }",
      ),
      'base.df': 'FROM scratch\n',
      Dockerfile: 'FROM localhost:5000/Team/Base:V1\n',
    },
    { uid: 'Xy7' },
  );
  expect(loaded.plan.steps.map(({ imageName }) => imageName)).toEqual([
    'localhost:5000/team/base-xy7:v1',
    'app-xy7:latest',
  ]);
  expect(step(loaded, 'App').dependsOn).toEqual(['Base']);
});

test('a --uid that fits no image name is refused', async () => {
  const folder = await project({ 'build.yml': steps('a: { name: app }') });
  for (const uid of ['a b', 'a:b', '-', 'a/', '../x']) {
    await expect(loadPlan(options(folder, { uid }))).rejects.toThrow(
      `"${uid}" cannot be part of an image name`,
    );
  }
});

test('the Dockerfile’s own ignore file wins over that of the context', async () => {
  const files = {
    'build.yml': steps('a: { name: app, dockerfile: x.df }'),
    'x.df': 'FROM scratch\n',
    '.dockerignore': 'context',
  };
  expect((await loadStep(files)).dockerfile.ignore).toBe('context');
  expect((await loadStep({ ...files, 'x.df.dockerignore': '\ufeffown' })).dockerfile.ignore).toBe('own');
});

test('contexts and Dockerfiles are joined below the work directory and the context, as ever', async () => {
  const loaded = await loadStep({
    'build.yml': steps('a: { name: app, context: /sub, dockerfile: /x.df }'),
    'sub/x.df': 'FROM scratch\n',
  });
  expect(loaded.dockerfile.path).toBe(join(loaded.context, 'x.df'));
  expect(loaded.context.endsWith('/sub')).toBe(true);
});

test('missing contexts and Dockerfiles are told with what is there instead', async () => {
  expect(
    await problemsOf({
      'build.yml': steps(`
a: { name: a, context: sbu }
b: { name: b, context: sub, dockerfile: Dockerfile.bild }
c: { name: c, context: Dockerfile }
d: { name: d, dockerfile: sub }
e:
  name: e
  context: empty
`),
      'sub/Dockerfile.build': 'FROM scratch\n',
      'empty/x': '',
    }),
  ).toMatchInlineSnapshot(`
    "build.yml:4:28: error: the context folder "sbu" of step "a" does not exist
      4 |     a: { name: a, context: sbu }
        |                            ^~~
        = there is no ./sbu; a context is relative to the work directory
    build.yml:5:45: error: the Dockerfile "Dockerfile.bild" of step "b" does not exist
      5 |     b: { name: b, context: sub, dockerfile: Dockerfile.bild }
        |                                             ^~~~~~~~~~~~~~~
        = did you mean "Dockerfile.build"?
    build.yml:6:28: error: the context "Dockerfile" of step "c" is not a folder
      6 |     c: { name: c, context: Dockerfile }
        |                            ^~~~~~~~~~
        = ./Dockerfile is no folder; name the folder whose files the build may use
    build.yml:7:31: error: the Dockerfile "sub" of step "d" is a folder
      7 |     d: { name: d, dockerfile: sub }
        |                               ^~~
        = the file is ./sub
    build.yml:8:5: error: the Dockerfile "Dockerfile" of step "e" does not exist
      8 |     e:
        |     ^
        = there is no ./empty/Dockerfile; a Dockerfile is relative to its step's context"
  `);
});

test('a Dockerfile that Docker could not read is told at its own place, once for all steps that use it', async () => {
  expect(
    await problemsOf({
      'build.yml': steps('a: { name: a }\nb: { name: b }'),
      Dockerfile: 'FROM scratch\nFROM\n',
    }),
  ).toMatchInlineSnapshot(`
    "Dockerfile:2:1: error: FROM takes an image, or an image, AS and a name
      2 | FROM
        | ^~~~"
  `);
});

test('unknown dependencies are told with the nearest step', async () => {
  const builder = 'builder: { name: compiler }\n';
  expect(await problemsOf(steps(`${builder}b: { name: b, depends_on: [bulider, compilr, nonsense] }`)))
    .toMatchInlineSnapshot(`
    "build.yml:5:32: error: step "b" depends on "bulider", which is no step
      5 |     b: { name: b, depends_on: [bulider, compilr, nonsense] }
        |                                ^~~~~~~
        = did you mean "builder"?
    build.yml:5:41: error: step "b" depends on "compilr", which is no step
      5 |     b: { name: b, depends_on: [bulider, compilr, nonsense] }
        |                                         ^~~~~~~
        = did you mean "compiler"?
    build.yml:5:50: error: step "b" depends on "nonsense", which is no step
      5 |     b: { name: b, depends_on: [bulider, compilr, nonsense] }
        |                                                  ^~~~~~~~
        = the steps are builder, b"
  `);
  expect(await problemsOf(steps(`${builder}b: { name: b, depends_on: [~, [x], builder] }`)))
    .toMatchInlineSnapshot(`
    "build.yml:5:32: error: item 1 of "depends_on" of step "b" is empty
      5 |     b: { name: b, depends_on: [~, [x], builder] }
        |                                ^
        = write a text
    build.yml:5:35: error: item 2 of "depends_on" of step "b" must be a text, not a list
      5 |     b: { name: b, depends_on: [~, [x], builder] }
        |                                   ^~~"
  `);
});

test('two steps with one image are told, however the name is written', async () => {
  expect(await problemsOf(steps('a: { name: app }\nb: { name: docker.io/library/app:latest }')))
    .toMatchInlineSnapshot(`
    "build.yml:5:16: error: the steps "a" and "b" both build the image "docker.io/library/app:latest"
      5 |     b: { name: docker.io/library/app:latest }
        |                ^~~~~~~~~~~~~~~~~~~~~~~~~~~~
        = give one of them another name; "a" has its name in line 4"
  `);
});

test('a cycle is shown as a path, with where each link comes from', async () => {
  expect(
    await problemsOf({
      'build.yml': steps(`
free: { name: free, dockerfile: scratch.df }
c: { name: image-c, depends_on: a, dockerfile: scratch.df }
a: { name: image-a, depends_on: [free, b], dockerfile: scratch.df }
b: { name: image-b }
self: { name: image-self, depends_on: self, dockerfile: scratch.df }
`),
      Dockerfile: 'FROM image-c\n',
      'scratch.df': 'FROM scratch\n',
    }),
  ).toMatchInlineSnapshot(`
    "build.yml:5:37: error: the steps wait for each other: c → a → b → c
      5 |     c: { name: image-c, depends_on: a, dockerfile: scratch.df }
        |                                     ^
        = c → a: depends_on in line 5; a → b: depends_on in line 6; b → c: its Dockerfile uses "image-c" in line 1
    build.yml:8:43: error: step "self" depends on itself
      8 |     self: { name: image-self, depends_on: self, dockerfile: scratch.df }
        |                                           ^~~~
        = remove it from depends_on"
  `);
});

const KEEP: Files = {
  'build.yml': steps(`
base: { name: base, dockerfile: scratch.df }
maker: { name: maker, artifacts: [/x], dockerfile: scratch.df }
alone: { name: alone, artifacts: [/x], dockerfile: scratch.df }
before: { name: before, dockerfile: scratch.df }
user: { name: user, depends_on: [maker, before] }
always: { name: always, keep: true, artifacts: [/y], dockerfile: scratch.df }
never: { name: never, keep: false, depends_on: always, dockerfile: scratch.df }
`),
  Dockerfile: 'FROM base\n',
  'scratch.df': 'FROM scratch\n',
};

test('an image stays unless another step builds from it or takes its artifacts; keep says otherwise', async () => {
  expect(kept(await load(KEEP))).toEqual(['alone', 'before', 'user', 'always']);
});

test('--keep-all keeps every image, even one with keep: false', async () => {
  const loaded = await load(KEEP, { keepAll: true });
  expect(kept(loaded)).toEqual(labels(loaded));
});

test('--step plans a step and what it needs; what was asked for stays', async () => {
  const loaded = await load(KEEP, { steps: ['user', 'never'] });
  expect(labels(loaded)).toEqual(['base', 'maker', 'before', 'user', 'always', 'never']);
  expect(kept(loaded)).toEqual(['before', 'user', 'always', 'never']);
  expect(kept(await load(KEEP, { steps: ['base', 'user'] }))).toContain('base');
  expect(labels(await load(KEEP, { steps: ['alone:latest'] }))).toEqual(['alone']);
});

test('an unknown --step is refused with the nearest one', async () => {
  await expect(load(KEEP, { steps: ['usr'] })).rejects.toMatchObject({
    message: 'there is no step "usr"',
    hint: 'did you mean "user"?',
  });
});

test('no_cache holds for its step, --no-cache for every one', async () => {
  const file = steps('a: { name: a, no_cache: true }\nb: { name: b }');
  const cached = ({ plan }: LoadedPlan): boolean[] => plan.steps.map(({ noCache }) => !noCache);
  expect(cached(await load(file))).toEqual([false, true]);
  expect(cached(await load(file, { noCache: true }))).toEqual([false, false]);
});

test('after_build_command is left out with a warning unless it is allowed', async () => {
  const file = steps('a: { name: app, after_build_command: ./x }');
  const refused = await load(file);
  expect(step(refused, 'a').afterBuildCommand).toBeUndefined();
  expect(refused.warnings).toMatchObject([
    {
      severity: 'warning',
      message: '"after_build_command" of step "a" is not run',
      hint: 'pass --after-build-commands to allow commands on this machine',
      place: { line: 4, column: 21 },
    },
  ]);
  const allowed = await load(file, { allowAfterBuildCommands: true });
  expect([step(allowed, 'a').afterBuildCommand, allowed.warnings]).toEqual(['./x', []]);
});

test('names from the prototype of objects are names like any other', async () => {
  const loaded = await load(
    steps(`
__proto__:
  name: one
  args: { __proto__: a, constructor: b, toString: c }
  secrets: { __proto__: { type: env, value: X } }
constructor: { name: two, depends_on: [__proto__] }
toString: { name: constructor, depends_on: [constructor] }
`),
  );
  expect(labels(loaded)).toEqual(['__proto__', 'constructor', 'toString']);
  expect(Object.entries(step(loaded, '__proto__').args)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['toString', 'c'],
  ]);
  expect(step(loaded, '__proto__').secrets).toEqual([{ name: '__proto__', type: 'env', value: 'HABITUS_X' }]);
  expect(await problemsOf(steps('a: { name: app, __proto__: x, toString: y, hasOwnProperty: z }')))
    .toMatchInlineSnapshot(`
    "build.yml:4:21: error: unknown key "__proto__" in step "a"
      4 |     a: { name: app, __proto__: x, toString: y, hasOwnProperty: z }
        |                     ^~~~~~~~~
        = known here: name, context, dockerfile, target, args, no_cache, secrets, ssh, artifacts, cleanup, squash, depends_on, command, command_cache, after_build_command, timeout, keep
    build.yml:4:35: error: unknown key "toString" in step "a"
      4 |     a: { name: app, __proto__: x, toString: y, hasOwnProperty: z }
        |                                   ^~~~~~~~
        = known here: name, context, dockerfile, target, args, no_cache, secrets, ssh, artifacts, cleanup, squash, depends_on, command, command_cache, after_build_command, timeout, keep
    build.yml:4:48: error: unknown key "hasOwnProperty" in step "a"
      4 |     a: { name: app, __proto__: x, toString: y, hasOwnProperty: z }
        |                                                ^~~~~~~~~~~~~~
        = known here: name, context, dockerfile, target, args, no_cache, secrets, ssh, artifacts, cleanup, squash, depends_on, command, command_cache, after_build_command, timeout, keep"
  `);
});

test('a plan described is JSON without the contents of files', async () => {
  const folder = await project({ ...KEEP, '.dockerignore': 'SECRET' });
  const { plan } = await loadPlan(options(folder, { steps: ['user'] }));
  const text = JSON.stringify(describePlan(plan));
  expect(text).not.toContain('SECRET');
  expect(text).not.toContain('FROM');
  expect(JSON.parse(text.replaceAll(folder, ''))).toMatchObject({
    file: '/build.yml',
    version: '2016-03-14',
    steps: [
      { label: 'base', image: 'base:latest', keep: false },
      { label: 'maker', artifacts: [{ source: '/x', destination: '.' }] },
      { label: 'before' },
      { label: 'user', depends_on: ['base', 'maker', 'before'], uses: ['base'], dockerfile: '/Dockerfile' },
    ],
  });
});

test('the plan holds the Dockerfile as it was read', async () => {
  const folder = await project({ 'build.yml': steps('a: { name: app }'), Dockerfile: 'FROM scratch\r\n' });
  const { plan } = await loadPlan(options(folder));
  expect(plan.steps[0]?.dockerfile.content).toEqual(await readFile(join(folder, 'Dockerfile')));
});

/** The keys about what happens to a built image, and what the plan says of its base. */
import { expect, test } from 'vitest';
import type { PlannedBase, PlannedStep } from '../../src/core/plan.js';
import { describePlan } from '../../src/config/describe.js';
import type { LoadOptions } from '../../src/config/load.js';
import { load, loadStep, newestSteps, problemsOf, steps } from './config-project.js';

type AfterBuild = Pick<PlannedStep, 'cleanup' | 'squash'>;

const cleanup = { commands: ['rm /key'] };

/** What a step with these keys goes through, in a file of the newest version. */
async function afterBuild(keys: string, overrides?: Partial<LoadOptions>): Promise<AfterBuild> {
  const step = await loadStep(newestSteps(`a: { name: app, ${keys} }`), overrides);
  return {
    ...(step.cleanup !== undefined && { cleanup: step.cleanup }),
    ...(step.squash !== undefined && { squash: step.squash }),
  };
}

/** All warnings about a step with these keys. */
async function warningsOf(keys: string, overrides?: Partial<LoadOptions>): Promise<readonly string[]> {
  const { warnings } = await load(newestSteps(`a: { name: app, ${keys} }`), overrides);
  return warnings.map(({ severity, message, hint, place }) =>
    [severity, place?.column, message, hint].map(String).join(' | '),
  );
}

test.each(['2016-02-13', '2016-03-14', '2026-11-22'])(
  'in version %s cleanup implies squash',
  async (version) => {
    const file = steps('a: { name: app, cleanup: { commands: [rm /key] } }').replace('2016-03-14', version);
    expect(await loadStep(file)).toMatchObject({ cleanup, squash: 'base' });
  },
);

test.each<[string, AfterBuild]>([
  ['no_cache: false', {}],
  ['squash: true', { squash: 'base' }],
  ['squash: yes', { squash: 'base' }],
  ['squash: { from: base }', { squash: 'base' }],
  ['squash: { from: scratch }', { squash: 'scratch' }],
  ['squash: false', {}],
  ['squash: ', {}],
  ['squash: ""', {}],
  ['cleanup: { commands: [rm /key] }', { cleanup, squash: 'base' }],
  ['cleanup: { commands: [rm /key] }, squash: true', { cleanup, squash: 'base' }],
  ['cleanup: { commands: [rm /key] }, squash: { from: scratch }', { cleanup, squash: 'scratch' }],
  ['cleanup: { commands: [rm /key] }, squash: false', { cleanup }],
  ['cleanup: { commands: [rm /key] }, squash: ', { cleanup, squash: 'base' }],
  ['cleanup: { commands: [rm /key] }, squash: _env(UNSET:-)', { cleanup, squash: 'base' }],
  ['cleanup: { commands: [] }', {}],
  ['cleanup: { commands: [""] }', {}],
  ['cleanup: { commands: [] }, squash: true', { squash: 'base' }],
])('%s', async (keys, expected) => {
  expect(await afterBuild(keys)).toEqual(expected);
});

test('cleanup takes a user and no network; an empty text leaves both as they are', async () => {
  expect(await afterBuild('cleanup: { commands: [rm /key], user: 0, network: none }')).toEqual({
    cleanup: { ...cleanup, user: '0', network: 'none' },
    squash: 'base',
  });
  expect(await afterBuild('cleanup: { commands: [rm /key], user: "", network: "" }')).toEqual({
    cleanup,
    squash: 'base',
  });
});

test('--no-cleanup drops cleanup and squash, and what there was to warn about', async () => {
  const skip = { noCleanup: true };
  expect(await afterBuild('cleanup: { commands: [rm /key] }', skip)).toEqual({});
  expect(await afterBuild('squash: { from: scratch }', skip)).toEqual({});
  expect(await warningsOf('cleanup: { commands: [rm /key] }, squash: false', skip)).toEqual([]);
  expect(await warningsOf('cleanup: { user: root }', skip)).toEqual([]);
});

test('cleanup without squash is warned of: what it removes stays in the image', async () => {
  expect(await warningsOf('cleanup: { commands: [rm /key] }, squash: false')).toEqual([
    'warning | 55 | what "cleanup" of step "a" removes stays in the layers below | remove "squash: false"',
  ]);
  expect(await warningsOf('squash: false')).toEqual([]);
  expect(await warningsOf('cleanup: { commands: [rm /key] }, squash: { from: scratch }')).toEqual([]);
});

test('cleanup that says how but not what is warned of, and is none', async () => {
  const warning =
    'warning | 21 | "cleanup" of step "a" has no commands, so it does nothing | add "commands:" with a list, or remove it';
  expect(await warningsOf('cleanup: { user: root }')).toEqual([warning]);
  expect(await warningsOf('cleanup: { commands: [], network: none }')).toEqual([warning]);
  expect(await warningsOf('cleanup: { commands: [] }')).toEqual([]);
  expect(await afterBuild('cleanup: { user: root, network: none }')).toEqual({});
});

test('files of older versions are told which version the new keys need', async () => {
  expect(
    await problemsOf(
      steps(`
a:
  name: app
  cleanup: { commands: [x], user: root, network: none }
  squash: maybe
b: { name: b, squash: , cleanup: { user: "" } }
`),
    ),
  ).toMatchInlineSnapshot(`
    "build.yml:6:33: error: "user" of "cleanup" of step "a" needs version 2026-11-22
      6 |       cleanup: { commands: [x], user: root, network: none }
        |                                 ^~~~
        = write "version: 2026-11-22"
    build.yml:6:45: error: "network" of "cleanup" of step "a" needs version 2026-11-22
      6 |       cleanup: { commands: [x], user: root, network: none }
        |                                             ^~~~~~~
        = write "version: 2026-11-22"
    build.yml:7:7: error: "squash" of step "a" needs version 2026-11-22
      7 |       squash: maybe
        |       ^~~~~~
        = write "version: 2026-11-22"
    build.yml:7:15: error: "squash" of step "a" must be true or false, not "maybe"
      7 |       squash: maybe
        |               ^~~~~
        = write "true", "false", "{ from: base }" or "{ from: scratch }""
  `);
});

test('wrong values of squash and cleanup are told with the right ones', async () => {
  expect(
    await problemsOf(
      newestSteps(`
a: { name: a, squash: scratch }
b: { name: b, squash: [base] }
c: { name: c, squash: { from: bse } }
d: { name: d, squash: { form: base } }
e: { name: e, squash: {} }
f: { name: f, cleanup: { commands: [x], network: host, user: [root] } }
g: { name: g, cleanup: { commands: [[], ["", x], [x, [y]], { a: b }, ~] } }
`),
    ),
  ).toMatchInlineSnapshot(`
    "build.yml:4:27: error: "squash" of step "a" must be true or false, not "scratch"
      4 |     a: { name: a, squash: scratch }
        |                           ^~~~~~~
        = write "true", "false", "{ from: base }" or "{ from: scratch }"
    build.yml:5:19: error: "squash" of step "b" must be true, false or a mapping with "from", not a list
      5 |     b: { name: b, squash: [base] }
        |                   ^~~~~~
    build.yml:6:35: error: unknown from "bse" of "squash" of step "c"
      6 |     c: { name: c, squash: { from: bse } }
        |                                   ^~~
        = did you mean "base"?
    build.yml:7:29: error: unknown key "form" in "squash" of step "d"
      7 |     d: { name: d, squash: { form: base } }
        |                             ^~~~
        = did you mean "from"?
    build.yml:8:19: error: "squash" of step "e" has no "from"
      8 |     e: { name: e, squash: {} }
        |                   ^~~~~~
        = write "{ from: base }" or "{ from: scratch }"
    build.yml:9:54: error: "network" of "cleanup" of step "f" must be none, not "host"
      9 |     f: { name: f, cleanup: { commands: [x], network: host, user: [root] } }
        |                                                      ^~~~
        = leave it out for the network of RUN
    build.yml:9:60: error: "user" of "cleanup" of step "f" must be a text, not a list
      9 |     f: { name: f, cleanup: { commands: [x], network: host, user: [root] } }
        |                                                            ^~~~
    build.yml:10:41: error: item 1 of "commands" of "cleanup" of step "g" names no program
      10 |     g: { name: g, cleanup: { commands: [[], ["", x], [x, [y]], { a: b }, ~] } }
         |                                         ^~
         = begin it with a program of the image, e.g. [/bin/rm, -rf, /tmp/x]
    build.yml:10:45: error: item 2 of "commands" of "cleanup" of step "g" names no program
      10 |     g: { name: g, cleanup: { commands: [[], ["", x], [x, [y]], { a: b }, ~] } }
         |                                             ^~~~~~~
         = begin it with a program of the image, e.g. [/bin/rm, -rf, /tmp/x]
    build.yml:10:58: error: item 2 of item 3 of "commands" of "cleanup" of step "g" must be a text, not a list
      10 |     g: { name: g, cleanup: { commands: [[], ["", x], [x, [y]], { a: b }, ~] } }
         |                                                          ^~~
    build.yml:10:64: error: item 4 of "commands" of "cleanup" of step "g" must be a text or a list of texts, not a mapping
      10 |     g: { name: g, cleanup: { commands: [[], ["", x], [x, [y]], { a: b }, ~] } }
         |                                                                ^~~~~~~~
    build.yml:10:74: error: item 5 of "commands" of "cleanup" of step "g" is empty
      10 |     g: { name: g, cleanup: { commands: [[], ["", x], [x, [y]], { a: b }, ~] } }
         |                                                                          ^
         = write a text or a list of texts"
  `);
});

/** The base of the step `app`, beside a step `tools` that builds the image `tools:1`. */
async function baseOf(dockerfile: string, keys = ''): Promise<PlannedBase | undefined> {
  const { plan } = await load({
    'build.yml': steps(`app: { name: app, ${keys} }\ntools: { name: 'tools:1', dockerfile: tools.df }`),
    Dockerfile: dockerfile,
    'tools.df': 'FROM scratch\n',
  });
  return plan.steps.find(({ label }) => label === 'app')?.base;
}

test('the base is the image of the last FROM, as it is named there', async () => {
  expect(await baseOf('FROM golang AS build\nFROM debian:12\nCOPY --from=build /a /a\n')).toEqual({
    kind: 'image',
    reference: 'debian:12',
  });
});

test('the base of an image from scratch is nothing', async () => {
  expect(await baseOf('FROM scratch AS empty\nFROM empty\n')).toEqual({ kind: 'scratch' });
});

test('the base is a step where FROM names its image, also through a stage and however it is written', async () => {
  const tools: PlannedBase = { kind: 'step', label: 'tools' };
  expect(await baseOf('FROM tools:1\n')).toEqual(tools);
  expect(await baseOf('FROM docker.io/library/tools:1 AS one\nFROM ONE AS two\nFROM two\n')).toEqual(tools);
});

test('the base is no step that is merely copied from', async () => {
  expect(await baseOf('FROM debian\nCOPY --from=tools:1 /a /a\n')).toEqual({
    kind: 'image',
    reference: 'debian',
  });
});

test('target and build args of the step decide about its base', async () => {
  const dockerfile = 'ARG BASE=debian\nFROM ${BASE} AS first\nFROM scratch\n';
  expect(await baseOf(dockerfile, 'target: First')).toEqual({ kind: 'image', reference: 'debian' });
  expect(await baseOf(dockerfile, "target: first, args: { BASE: 'tools:1' }")).toEqual({
    kind: 'step',
    label: 'tools',
  });
});

test('a step that builds from the image of its own name has the one that is there already as its base', async () => {
  expect(await baseOf('FROM app\n')).toEqual({ kind: 'image', reference: 'app' });
});

test('a plan described shows base, cleanup and squash', async () => {
  const { plan } = await load({
    'build.yml': newestSteps(`
base: { name: base }
app: { name: app, dockerfile: app.df, cleanup: { commands: [x, [y, z]], user: root }, squash: { from: scratch } }
`),
    'app.df': 'FROM base\n',
  });
  expect(JSON.parse(JSON.stringify(describePlan(plan)))).toMatchObject({
    steps: [
      { label: 'base', base: { kind: 'scratch' } },
      {
        label: 'app',
        base: { kind: 'step', label: 'base' },
        cleanup: { commands: ['x', ['y', 'z']], user: 'root' },
        squash: { from: 'scratch' },
      },
    ],
  });
  expect(JSON.stringify(describePlan(plan)).match(/"(squash|cleanup)"/g)).toEqual(['"cleanup"', '"squash"']);
});

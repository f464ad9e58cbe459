/** Plans that are remembered: the same as those made anew, whatever has changed, and without what may be a secret. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CacheStore } from '../../src/cache/store.js';
import { loadPlan, type LoadedPlan, type LoadOptions } from '../../src/config/load.js';
import { userFolder } from '../../src/core/user-folder.js';
import { openPlan, planMemory } from '../../src/open-plan.js';
import { temporaryFolder } from '../support/tar-tree.js';
import { newestSteps, options, project } from './config-project.js';

const folder = temporaryFolder();

/** Counts what is written, which a remembered plan is not. */
class CountingStore extends CacheStore {
  writes = 0;

  override async write(...given: Parameters<CacheStore['write']>): Promise<void> {
    this.writes += 1;
    await super.write(...given);
  }
}

function openMemory() {
  const user = userFolder({ XDG_CACHE_HOME: folder.path });
  return { ...planMemory(user), store: new CountingStore(user) };
}

function environment(variables: Readonly<Record<string, string>>): LoadOptions['env'] {
  return { source: 'process', variables: new Map(Object.entries(variables)) };
}

/** Opens it and remembers it. @returns the plan and its warnings, and whether it was remembered before */
async function open(given: LoadOptions) {
  const memory = openMemory();
  const { plan, warnings, remember } = await openPlan(given, memory);
  await remember();
  return { plan, warnings, wasRemembered: memory.store.writes === 0 };
}

const BUILD_YML = newestSteps(`
a:
  name: app/a
  context: ctx
  args: { constructor: own, __proto__: x, TOLD: "_env(TOLD:-nothing)" }
  artifacts: [/out/a]
b:
  name: app/b
  context: data
  dockerfile: ../b.Dockerfile
  cleanup: { commands: [rm /x] }
  squash: false
`);
const FILES = {
  'build.yml': BUILD_YML,
  'ctx/Dockerfile': 'FROM scratch\nCOPY x /\n',
  'ctx/.dockerignore': '*.log\n',
  'b.Dockerfile': 'FROM app/a\nRUN x\n',
  'data/x': 'x',
};

describe('a plan is remembered', () => {
  test('with all that it says, where nothing has changed', async () => {
    const given = options(await project(FILES));
    const first = await open(given);
    const second = await open(given);
    expect([first.wasRemembered, second.wasRemembered]).toEqual([false, true]);
    expect(second).toEqual({ ...first, wasRemembered: true });
    const [step] = second.plan.steps;
    expect(step?.dockerfile.content.toString()).toBe(FILES['ctx/Dockerfile']);
    expect(Object.getPrototypeOf(step?.args)).toBeNull();
    expect(first.warnings.length, 'the cleanup without squash').toBeGreaterThan(0);
  });

  test('and says where its args are, from the files', async () => {
    const given = options(await project(FILES));
    await open(given);
    const { locateArg } = await openPlan(given, openMemory());
    const located = (await locateArg())('a', 'constructor');
    expect(located?.source.text.slice(...located.range)).toBe('own');
  });

  const SPEAKING = {
    ...FILES,
    // The parser makes the call of an escape.
    'build.yml': newestSteps('a: { name: app, context: ctx, args: { T: "\\x5fenv(T)" } }'),
  };
  const withVariable = (value: string): Partial<LoadOptions> => ({ env: environment({ T: value }) });
  const withArg = (value: string): Partial<LoadOptions> => ({ buildArgs: new Map([['T', value]]) });

  test.each([
    ['the environment', SPEAKING, withVariable],
    ['--build', FILES, withArg],
  ])('for as long as %s gives the same values, and nobody reads them in it', async (_, files, giving) => {
    const directory = await project(files);
    const given = (value: string): LoadOptions => options(directory, giving(value));
    const first = await open(given('hunter2'));
    expect(first.plan.steps[0]?.args).toMatchObject({ T: 'hunter2' });
    expect(await open(given('hunter2'))).toEqual({ ...first, wasRemembered: true });
    for (const each of await readdir(folder.path, { recursive: true, withFileTypes: true })) {
      if (!each.isFile()) continue;
      const written = await readFile(join(each.parentPath, each.name), 'latin1');
      expect(written).not.toMatch(/hunter2|app\/a/);
    }
    const other = await open(given('hunter3'));
    expect(other.wasRemembered).toBe(false);
    expect(other.plan.steps[0]?.args).toMatchObject({ T: 'hunter3' });
  });

  test('not with values where the user has no key of their own, and nothing of it is written', async () => {
    const given = options(await project(SPEAKING), withVariable('hunter2'));
    const memory = { ...openMemory(), userKey: () => Promise.resolve(undefined) };
    for (let times = 0; times < 2; times += 1) {
      const { plan, remember } = await openPlan(given, memory);
      await remember();
      expect(plan.steps[0]?.args).toMatchObject({ T: 'hunter2' });
    }
    expect([memory.store.writes, await readdir(folder.path)]).toEqual([0, []]);
  });

  test('by one user: with the key of another it is none', async () => {
    const given = options(await project(SPEAKING), withVariable('hunter2'));
    await open(given);
    const stranger = { ...openMemory(), userKey: () => Promise.resolve(Buffer.alloc(32)) };
    await (await openPlan(given, stranger)).remember();
    expect(stranger.store.writes).toBe(1);
  });

  test('as if it were not, where the record is damaged or of another kind', async () => {
    const given = options(await project(FILES));
    const first = await open(given);
    const plans = join(folder.path, 'habitus/plans');
    const [name = ''] = await readdir(plans);
    const record = await readFile(join(plans, name));
    for (const bad of [Buffer.from('{}'), record.subarray(0, -1), Buffer.alloc(0)]) {
      await writeFile(join(plans, name), bad);
      expect(await open(given)).toEqual(first);
    }
  });
});

/** One change of a project, or of how it is planned. */
const EDITS: readonly [path: string, content: string | undefined][] = [
  ['build.yml', BUILD_YML],
  ['build.yml', BUILD_YML.replace('own', 'other')],
  ['build.yml', BUILD_YML.replace('rm /x', '')],
  ['ctx/Dockerfile', FILES['ctx/Dockerfile']],
  ['ctx/Dockerfile', 'FROM scratch\nCOPY y /\n'],
  ['ctx/Dockerfile', undefined],
  ['ctx/Dockerfile', 'FROM "\n'],
  ['ctx/.dockerignore', '*.txt\n'],
  ['ctx/.dockerignore', undefined],
  ['ctx/Dockerfile.dockerignore', '*.md\n'],
  ['ctx/Dockerfile.dockerignore', undefined],
  ['b.Dockerfile', FILES['b.Dockerfile']],
  ['b.Dockerfile', 'FROM scratch\nCOPY --from=app/a /out/a /\n'],
  ['b.Dockerfile.dockerignore', 'ctx\n'],
  ['b.Dockerfile.dockerignore', undefined],
  ['ctx', undefined],
  ['data', undefined],
  ['data', 'a file'],
];
const OPTIONS: readonly Partial<LoadOptions>[] = [
  {},
  { noCache: true },
  { keepAll: true },
  { noCleanup: true },
  { uid: 'me' },
  { steps: ['a'] },
  { home: '/home/you' },
  { secrets: { providers: [], allowCommands: true } },
  { env: environment({ TOLD: 'something' }) },
  { env: environment({ TOLD: '' }) },
  { env: { ...environment({ TOLD: 'something' }), source: 'flags' } },
  { buildArgs: new Map([['GIVEN', '1']]) },
  { buildArgs: new Map([['GIVEN', '2']]) },
];

const said = (loading: Promise<Pick<LoadedPlan, 'plan' | 'warnings'>>) =>
  loading.then(
    ({ plan, warnings }) => ({ plan, warnings }),
    (error: unknown) => String(error),
  );

test('whatever is changed, a plan is the one that is made anew', async () => {
  let remembered = 0;
  const run = fc.record({ edit: fc.constantFrom(...EDITS), given: fc.constantFrom(...OPTIONS) });
  await fc.assert(
    fc.asyncProperty(fc.array(run, { minLength: 1, maxLength: 12 }), async (runs) => {
      const directory = await project(FILES);
      for (const { edit, given } of runs) {
        const path = join(directory, edit[0]);
        if (edit[1] === undefined || edit[0] === 'data') await rm(path, { recursive: true, force: true });
        if (edit[1] !== undefined) {
          await mkdir(dirname(path), { recursive: true });
          await writeFile(path, edit[1]);
        }
        const asked = options(directory, given);
        const opened = open(asked);
        expect(await said(opened)).toEqual(await said(loadPlan(asked)));
        if ((await opened.catch(() => undefined))?.wasRemembered === true) remembered += 1;
      }
    }),
    { numRuns: 60 },
  );
  expect(remembered).toBeGreaterThan(0);
});

import { chmod, link, lstat, readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { spoolArtifact, type Artifact } from '../../src/tar/artifact.js';
import type { BuildContext, ContextEntry } from '../../src/tar/context.js';
import { compileIgnore } from '../../src/tar/ignore.js';
import { createContext } from '../../src/tar/overlay.js';
import { ListedFolder } from '../../src/tar/listed.js';
import { scan } from '../../src/tar/scan.js';
import { comparePaths, parentOf } from '../../src/tar/paths.js';
import { encode, folder, listAll, member, NEVER, readAll, streamOf, type Member } from '../support/tar.js';
import { lines, plant, temporaryFolder } from '../support/tar-tree.js';

const work = temporaryFolder();
const spooled: Artifact[] = [];

afterEach(async () => {
  for (const artifact of spooled.splice(0)) await artifact[Symbol.asyncDispose]();
});

async function artifact(source: string, destination: string, members: readonly Member[]): Promise<Artifact> {
  const made = await spoolArtifact(streamOf(encode(members)), { source, destination }, NEVER);
  spooled.push(made);
  return made;
}

function context(
  artifacts: readonly Artifact[],
  options: { folder?: string; ignore?: string } = {},
): BuildContext {
  return createContext({
    directory: join(work.path, options.folder ?? '.'),
    workDirectory: work.path,
    artifacts,
    ...(options.ignore !== undefined && { ignore: compileIgnore(options.ignore) }),
  });
}

const entriesOf = (made: BuildContext) => listAll(made.entries(NEVER));

async function contents(made: BuildContext): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const entry of await entriesOf(made)) {
    if (entry.type === 'file') all[entry.path] = (await readAll(made.open(entry, NEVER))).toString('latin1');
  }
  return all;
}

const pick = (entries: readonly ContextEntry[], path: string) => entries.find((entry) => entry.path === path);

describe('a context with artifacts', () => {
  it('shows both, in order, and the artifact where both have a file', async () => {
    await plant(work.path, ['a-b', 'app/x=mine', 'app/y=mine', 'z -> a']);
    const made = context([
      await artifact('/app', '', [
        folder('app'),
        member({ path: 'app/y' }, 'theirs'),
        member({ path: 'app/w' }, 'new'),
      ]),
      await artifact('/z', '', [member({ path: 'z' }, 'no link')]),
    ]);
    expect(lines(await entriesOf(made))).toEqual(['a-b', 'app/', 'app/w', 'app/x', 'app/y', 'z']);
    expect(await contents(made)).toEqual({
      'a-b': 'a-b',
      'app/w': 'new',
      'app/x': 'mine',
      'app/y': 'theirs',
      z: 'no link',
    });
  });

  it('takes the metadata of a folder from the artifact that holds it', async () => {
    await plant(work.path, ['d/local']);
    const made = context([
      await artifact('/d', '', [folder('d', { mode: 0o700, uid: 5, mtimeNs: 9_000_000_000n })]),
    ]);
    expect(pick(await entriesOf(made), 'd')).toMatchObject({ mode: 0o700, uid: 5, mtimeNs: 9_000_000_000n });
  });

  it.each(['', 'etc'])(
    'takes those of a generated parent from the local folder, ignored (%o) or not',
    async (ignore) => {
      await plant(work.path, ['etc/conf/local']);
      await chmod(join(work.path, 'etc/conf'), 0o711);
      await utimes(join(work.path, 'etc/conf'), 1000, 1000);
      const made = context([await artifact('/f', 'etc/conf/deep', [member({ path: 'f' }, 'x')])], { ignore });
      const all = await entriesOf(made);
      expect(lines(all)).toEqual(
        ['etc/', 'etc/conf/', 'etc/conf/deep/', 'etc/conf/deep/f', 'etc/conf/local'].filter(
          (line) => ignore === '' || !line.endsWith('local'),
        ),
      );
      expect(pick(all, 'etc/conf')).toMatchObject({ mode: 0o711, uid: 0, mtimeNs: 1_000_000_000_000n });
      expect(pick(all, 'etc/conf/deep')).toMatchObject({ mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n });
    },
  );

  it('never leaves out an artifact, whatever .dockerignore says', async () => {
    await plant(work.path, ['bin/local', 'src/x']);
    const made = context([await artifact('/app', 'bin', [member({ path: 'app' }, 'x')])], { ignore: '*' });
    expect(lines(await entriesOf(made))).toEqual(['bin/', 'bin/app']);
  });

  it('lets the later artifact win', async () => {
    const one = await artifact('/d', '', [folder('d', { mode: 0o700 }), member({ path: 'd/f' }, 'one')]);
    const two = await artifact('/d', '', [folder('d', { mode: 0o750 }), member({ path: 'd/f' }, 'two')]);
    expect(await contents(context([one, two]))).toEqual({ 'd/f': 'two' });
    expect(await contents(context([two, one]))).toEqual({ 'd/f': 'one' });
    expect(pick(await entriesOf(context([one, two])), 'd')).toMatchObject({ mode: 0o750 });
  });

  it('in a sub-folder sees what is destined for it, and nothing else', async () => {
    await plant(work.path, ['sub/dir/local', 'other/x']);
    const made = context(
      [
        await artifact('/a', 'sub/dir', [member({ path: 'a' }, 'in')]),
        await artifact('/b', 'other', [member({ path: 'b' }, 'out')]),
        await artifact('/c', 'sub', [member({ path: 'c' }, 'above')]),
        await artifact('/dir2', 'sub', [folder('dir2'), member({ path: 'dir2/x' }, 'beside')]),
        await artifact('/dir', 'sub', [folder('dir'), member({ path: 'dir/e' }, 'itself')]),
      ],
      { folder: 'sub/dir' },
    );
    expect(await contents(made)).toEqual({ a: 'in', e: 'itself', local: 'sub/dir/local' });
    expect(lines(await entriesOf(made))).toEqual(['a', 'e', 'local']);
  });

  it('above the work directory sees artifacts below it', async () => {
    await plant(work.path, ['proj/x', 'lib/y']);
    const made = createContext({
      directory: work.path,
      workDirectory: join(work.path, 'proj'),
      artifacts: [await artifact('/app', 'bin', [member({ path: 'app' }, 'x')])],
    });
    expect(lines(await entriesOf(made))).toEqual([
      'lib/',
      'lib/y',
      'proj/',
      'proj/bin/',
      'proj/bin/app',
      'proj/x',
    ]);
  });

  it('is not listed again where it has just been, unless it is asked for once more', async () => {
    await plant(work.path, ['a', 'out/b']);
    const listed = new ListedFolder();
    for (const found of scan(work.path, undefined)) listed.add(found);
    await plant(work.path, ['later']);
    const made = createContext({
      directory: work.path,
      listed,
      workDirectory: work.path,
      artifacts: [await artifact('/app', 'out', [member({ path: 'app' }, 'x')])],
    });
    expect(lines(await entriesOf(made))).toEqual(['a', 'out/', 'out/app', 'out/b']);
    expect(lines(await entriesOf(made))).toEqual(['a', 'later', 'out/', 'out/app', 'out/b']);
  });

  it('beside the work directory sees none', async () => {
    await plant(work.path, ['proj/x', 'beside/y']);
    const made = createContext({
      directory: join(work.path, 'beside'),
      workDirectory: join(work.path, 'proj'),
      artifacts: [await artifact('/app', '', [member({ path: 'app' }, 'x')])],
    });
    expect(lines(await entriesOf(made))).toEqual(['y']);
  });
});

describe('hard links in a context', () => {
  it('point to the first name that is still there', async () => {
    await plant(work.path, ['a=local']);
    await link(join(work.path, 'a'), join(work.path, 'b'));
    await link(join(work.path, 'a'), join(work.path, 'c'));
    expect(lines(await entriesOf(context([])))).toEqual(['a', 'b => a', 'c => a']);

    const over = context([await artifact('/a', '', [member({ path: 'a' }, 'theirs')])]);
    expect(lines(await entriesOf(over))).toEqual(['a', 'b', 'c => b']);
    expect(await contents(over)).toEqual({ a: 'theirs', b: 'local' });
    expect(lines(await entriesOf(context([], { ignore: 'a' })))).toEqual(['b', 'c => b']);
  });

  it('of an artifact survive when another artifact takes the first name', async () => {
    const linked = [
      folder('d'),
      member({ path: 'd/a' }, 'shared'),
      member({ path: 'd/b', type: 'hardlink', linkname: 'd/a' }),
      member({ path: 'd/c', type: 'hardlink', linkname: 'd/a' }),
    ];
    const made = context([
      await artifact('/d', '', linked),
      await artifact('/a', 'd', [member({ path: 'a' }, 'other')]),
    ]);
    expect(lines(await entriesOf(made))).toEqual(['d/', 'd/a', 'd/b', 'd/c => d/b']);
    expect(await contents(made)).toEqual({ 'd/a': 'other', 'd/b': 'shared' });
  });

  it('never share the .dockerignore, whose content may be changed on the way', async () => {
    await plant(work.path, ['.a=x']);
    await link(join(work.path, '.a'), join(work.path, '.dockerignore'));
    await link(join(work.path, '.a'), join(work.path, '.e'));
    expect(lines(await entriesOf(context([])))).toEqual(['.a', '.dockerignore', '.e => .a']);
  });
});

describe('a contradiction', () => {
  it('of an artifact file and a local folder is an error that names both', async () => {
    await plant(work.path, ['app/x']);
    const made = context([await artifact('/bin/app', '', [member({ path: 'app' }, 'x')])]);
    await expect(entriesOf(made)).rejects.toMatchObject({
      message: 'The artifact "/bin/app" brings "app" of the context as a file, but it is a folder there',
      hint: 'Give the artifact another destination, or rename or ignore (.dockerignore) "app".',
    });
    expect(lines(await entriesOf(context(spooled, { ignore: 'app' })))).toEqual(['app']);
  });

  it.each([
    ['conf', 'a file'],
    ['conf -> elsewhere', 'a symlink'],
  ])('of a local %s and an artifact that needs a folder too', async (line, what) => {
    await plant(work.path, [line]);
    const made = context([await artifact('/x', 'conf', [member({ path: 'x' }, 'x')])]);
    await expect(entriesOf(made)).rejects.toThrow(
      `The artifact "/x:conf" brings "conf" of the context as a folder, but it is ${what} there`,
    );
  });

  it('of two artifacts too', async () => {
    const file = await artifact('/x', '', [member({ path: 'x' }, 'x')]);
    const below = await artifact('/y', 'x', [member({ path: 'y' }, 'y')]);
    expect(() => context([file, below])).toThrow(
      'The artifact "/y:x" brings "x" of the context as a folder, the artifact "/x" as a file',
    );
    expect(() => context([below, file])).toThrow(
      'The artifact "/x" brings "x" of the context as a file, the artifact "/y:x" as a folder',
    );
  });
});

describe('whatever lies in folder and artifacts', () => {
  const name = fc.constantFrom('a', 'b', 'a-', 'c', '.x');
  const tree = fc.uniqueArray(
    fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => [...names, 'f'].join('/')),
    { maxLength: 6 },
  );

  it('comes out sorted, once, with all parents, the last giver winning', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.array(tree, { maxLength: 3 }), async (local, remote) => {
        const directory = join(work.path, 'property');
        await rm(directory, { recursive: true, force: true });
        await plant(directory, ['seed', ...local.map((path) => `${path}=local`)]);
        const artifacts = await Promise.all(
          remote.map((paths, i) =>
            artifact(
              '/',
              '',
              paths.map((path) => member({ path: `/${path}` }, `artifact ${i}`)),
            ),
          ),
        );
        const made = createContext({ directory, workDirectory: directory, artifacts });
        const entries = await entriesOf(made);
        const paths = entries.map((entry) => entry.path);
        expect(paths).toEqual([...new Set(paths)].sort(comparePaths));
        for (const path of paths) if (parentOf(path) !== '') expect(paths).toContain(parentOf(path));
        const expected: Record<string, string> = { seed: 'seed' };
        for (const path of local) expected[path] = 'local';
        for (const [i, given] of remote.entries()) for (const path of given) expected[path] = `artifact ${i}`;
        expect(await contents(made)).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  it('can be listed twice with the same result, and leaves the folder as it was', async () => {
    await plant(work.path, ['a/b']);
    const made = context([await artifact('/x', 'a', [member({ path: 'x' }, 'x')])]);
    const before = await lstat(join(work.path, 'a'), { bigint: true });
    expect(await entriesOf(made)).toEqual(await entriesOf(made));
    expect(await contents(made)).toEqual({ 'a/b': 'a/b', 'a/x': 'x' });
    expect(await readdir(join(work.path, 'a'))).toEqual(['b']);
    expect((await lstat(join(work.path, 'a'), { bigint: true })).mtimeNs).toBe(before.mtimeNs);
  });
});

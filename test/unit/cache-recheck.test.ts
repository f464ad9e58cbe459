/** A context that a build took from its listing: what was read of it since must still be what was listed, and nothing else counts. */
import { chmod, lstat, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listContext, type ContextListing } from '../../src/cache/context-digest.js';
import { ContextReaders } from '../../src/cache/context-readers.js';
import { Contexts } from '../../src/cache/contexts.js';
import { isAsListed } from '../../src/cache/recheck.js';
import { StatCache } from '../../src/cache/stat-cache.js';
import { CacheStore } from '../../src/cache/store.js';
import { userFolder } from '../../src/core/user-folder.js';
import { NEVER } from '../support/tar.js';
import { plant, temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder.path, 'context', name);

/** The next write gets another time of change than the last one. */
async function clockMoved(): Promise<void> {
  const probe = join(folder.path, 'probe');
  await writeFile(probe, '');
  const { ctimeNs: before } = await lstat(probe, { bigint: true });
  do await writeFile(probe, '');
  while ((await lstat(probe, { bigint: true })).ctimeNs <= before);
}

const list = (): Promise<ContextListing> =>
  listContext({ directory: at('') }, StatCache.empty(), { readsContents: 'now', signal: NEVER });

const check = (listing: ContextListing, ...opened: readonly string[]): Promise<boolean> =>
  isAsListed(at(''), listing, opened, StatCache.empty(), NEVER);

/** Long after all files were written: none could be written to once more without its showing. */
function muchLater(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
}

afterEach(() => {
  vi.useRealTimers();
});

describe('files that were read after they were listed', () => {
  beforeEach(async () => {
    await plant(at(''), ['a=1', 'd/b=2', 'd/e/c=3', 'f/g=4']);
    muchLater();
  });

  it('are as they were where nobody has touched them', async () => {
    const listing = await list();
    expect(await check(listing, 'a', 'd/b', 'd/e/c')).toBe(true);
    expect(await check(listing)).toBe(true);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['written to, in the same size', () => writeFile(at('d/b'), 'x')],
    ['of another mode', () => chmod(at('d/b'), 0o600)],
    ['another one, put in their place', () => renameOver('d/b', 'x')],
    ['a symlink', () => rm(at('d/b')).then(() => symlink('e/c', at('d/b')))],
    ['in a folder that was another one for a while', () => swapTwice('d')],
  ])('are not where one is %s', async (_, touch) => {
    const listing = await list();
    await clockMoved();
    await touch();
    expect(await check(listing, 'd/b')).toBe(false);
  });

  it('are not where one is gone, which is told', async () => {
    const listing = await list();
    await rm(at('d/b'));
    await expect(check(listing, 'd/b')).rejects.toThrow(
      '"d/b" of the context changed while it was being read',
    );
  });

  it('are as they were whatever happens to others', async () => {
    const listing = await list();
    await clockMoved();
    await writeFile(at('d/b'), 'another');
    await rm(at('f/g'));
    expect(await check(listing, 'd/e/c', 'a')).toBe(true);
  });

  it('are read again where a write could not show, and remembered if it could by now', async () => {
    vi.useRealTimers();
    const listing = await list();
    expect(listing.stamp.racy.size).toBeGreaterThan(0);
    expect(await check(listing)).toBe(true);
    const { stamp, listed } = listing;
    const others = new Map(Array.from(stamp.racy.keys(), (place) => [place, 'x'.repeat(32)]));
    expect(await check({ ...listing, stamp: { ...stamp, racy: others } })).toBe(false);
    muchLater();
    const known = StatCache.empty();
    expect(await isAsListed(at(''), listing, [], known, NEVER)).toBe(true);
    expect(known.learned).toBe(stamp.racy.size);
    expect(listed.paths).toHaveLength(7);
  });

  it('are as they were exactly where they and their folders look the same, whatever was done', async () => {
    const names = ['a', 'd/b', 'd/e/c', 'f/g'];
    const deeds = fc.record({
      what: fc.constantFrom('write', 'mode', 'replace', 'swap', 'add'),
      path: fc.constantFrom(...names),
    });
    const cases = fc.record({
      opened: fc.subarray(names),
      done: fc.array(deeds, { maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ opened, done }) => {
        await rm(at(''), { recursive: true });
        await plant(at(''), ['a=1', 'd/b=2', 'd/e/c=3', 'f/g=4']);
        const listing = await list();
        const paths = opened.length === 0 ? [] : ['', ...opened, ...opened.flatMap(foldersOf)];
        const before = await looks(paths);
        for (const { what, path } of done) {
          await clockMoved();
          if (what === 'write') await writeFile(at(path), 'x');
          else if (what === 'mode') await chmod(at(path), 0o640);
          else if (what === 'replace') await renameOver(path, 'x');
          else if (what === 'swap') await swapTwice(path.split('/')[0] ?? '');
          else await writeFile(`${at(path)}.new`, '');
        }
        expect(await check(listing, ...opened)).toBe((await looks(paths)) === before);
      }),
      { numRuns: 60 },
    );
  });
});

async function renameOver(path: string, content: string): Promise<void> {
  await writeFile(join(folder.path, 'new'), content);
  await rename(join(folder.path, 'new'), at(path));
}

/** Away, and back again: what lies below has not changed, but others could have been in its place. */
async function swapTwice(name: string): Promise<void> {
  await rename(at(name), join(folder.path, 'away'));
  await rename(join(folder.path, 'away'), at(name));
}

const foldersOf = (path: string): readonly string[] =>
  path
    .split('/')
    .slice(0, -1)
    .map((_, i, parts) => parts.slice(0, i + 1).join('/'));

async function looks(paths: readonly string[]): Promise<string> {
  const all = paths.map(async (path) => {
    const { ctimeNs, ino, mode, size } = await lstat(at(path), { bigint: true });
    return [path, ctimeNs, ino, mode, ...(path === '' ? [] : [size])].join(' ');
  });
  return (await Promise.all(all)).join('\n');
}

describe('a context that was built from its listing', () => {
  const planned = () => ({ directory: at('') });
  const opened = (...paths: readonly string[]) => ({ listedAnew: false, opened: new Set(paths) });

  async function builds(
    uses: readonly { listedAnew: boolean; opened: Set<string> }[],
    between = '',
  ): Promise<number> {
    const contexts = new Contexts(new CacheStore(userFolder({ XDG_CACHE_HOME: join(folder.path, 'cache') })));
    await contexts.list(planned(), 'now', NEVER);
    const steps = uses.map((use, i) => [`s${i}`, use] as const);
    const readers = new ContextReaders(contexts, new Map(steps.map(([label]) => [label, planned()])), NEVER);
    await clockMoved();
    if (between !== '') await writeFile(at(between), 'x');
    for (const [label, use] of steps) readers.sent(label, use);
    return (await contexts.untouched([planned()], NEVER)).size;
  }

  beforeEach(async () => {
    await plant(at(''), ['a=1', 'd/b=2']);
    muchLater();
  });

  it('is recorded where others than those that were read have changed', async () => {
    expect(await builds([opened('a')], 'd/b')).toBe(1);
    expect(await readdir(join(folder.path, 'cache/habitus/contexts'))).toHaveLength(1);
  });

  it('is not where any step has read what changed, or has listed it anew', async () => {
    expect(await builds([opened('a'), opened('d/b')], 'd/b')).toBe(0);
    expect(await builds([opened('a'), { ...opened(), listedAnew: true }], 'd/b')).toBe(0);
    expect(await builds([opened('a'), { ...opened(), listedAnew: true }])).toBe(1);
  });

  it('is not where what was read is gone', async () => {
    expect(await builds([opened('gone')])).toBe(0);
  });

  it('is listed as a whole where contents were left for later', async () => {
    const contexts = new Contexts(new CacheStore(userFolder({ XDG_CACHE_HOME: join(folder.path, 'cache') })));
    await contexts.list(planned(), 'later', NEVER);
    await clockMoved();
    await mkdir(at('new'));
    contexts.lookAgain(planned(), [opened()], NEVER);
    expect((await contexts.untouched([planned()], NEVER)).size).toBe(0);
  });
});

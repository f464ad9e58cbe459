/** A context that a build took from its listing: what was listed must still be there as it was, and nothing else counts. */
import { chmod, link, mkdir, readdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isUntouched, listContext, type ContextListing } from '../../src/cache/context-digest.js';
import { ContextReaders } from '../../src/cache/context-readers.js';
import { Contexts, keptFiles } from '../../src/cache/contexts.js';
import { isAsListed } from '../../src/cache/recheck.js';
import { StatCache } from '../../src/cache/stat-cache.js';
import { CacheStore } from '../../src/cache/store.js';
import { userFolder } from '../../src/core/user-folder.js';
import { NEVER } from '../support/tar.js';
import { clockMoved, plant, temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder.path, 'context', name);

const list = (): Promise<ContextListing> =>
  listContext({ directory: at('') }, StatCache.empty(), { readsContents: 'now', signal: NEVER });

const check = (listing: ContextListing): Promise<boolean> =>
  isAsListed(at(''), listing, StatCache.empty(), NEVER);

/** Long after all files were written: none could be written to once more without its showing. */
function muchLater(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
}

afterEach(() => {
  vi.useRealTimers();
});

describe('what was listed', () => {
  beforeEach(async () => {
    await plant(at(''), ['a=1', 'd/b=2', 'd/e/c=3', 'f/g=4', 'l -> a']);
    await link(at('a'), at('same'));
    muchLater();
  });

  it('is as it was where nobody has touched it, whatever has come beside it', async () => {
    const listing = await list();
    expect(await check(listing)).toBe(true);
    await clockMoved(folder.path);
    await writeFile(at('new'), '');
    expect(await check(listing)).toBe(true);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['is written to, in the same size', () => writeFile(at('d/b'), 'x')],
    ['has another mode', () => chmod(at('d/b'), 0o600)],
    ['is another one, put in its place', () => renameOver('d/b', 'x')],
    ['is a symlink', () => rm(at('d/b')).then(() => symlink('e/c', at('d/b')))],
    ['was in a folder that was another one for a while', () => swapTwice('d')],
    ['has a name more', () => link(at('d/b'), at('more'))],
    ['was written to by another of its names', () => writeFile(at('same'), 'x')],
  ])('is not where a file %s', async (_, touch) => {
    const listing = await list();
    await clockMoved(folder.path);
    await touch();
    expect(await check(listing)).toBe(false);
  });

  it('is not where a file is gone, which is told', async () => {
    const listing = await list();
    await rm(at('a'));
    await expect(check(listing)).rejects.toThrow('"a" of the context changed while it was being read');
  });

  it('is read again where a write could not show, and remembered if it could by now', async () => {
    vi.useRealTimers();
    const listing = await list();
    expect(listing.stamp.racy.size).toBeGreaterThan(0);
    expect(await check(listing)).toBe(true);
    const { stamp } = listing;
    const others = new Map(Array.from(stamp.racy.keys(), (place) => [place, 'x'.repeat(32)]));
    expect(await check({ ...listing, stamp: { ...stamp, racy: others } })).toBe(false);
    muchLater();
    const known = StatCache.empty();
    expect(await isAsListed(at(''), listing, known, NEVER)).toBe(true);
    expect(known.learned).toBe(stamp.racy.size);
  });

  it('is as it was only where a whole second listing finds the same', async () => {
    const deeds = fc.record({
      what: fc.constantFrom('write', 'mode', 'replace', 'swap', 'nothing'),
      path: fc.constantFrom('a', 'd/b', 'd/e/c', 'f/g'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(deeds, { maxLength: 3 }), async (done) => {
        await rm(at(''), { recursive: true });
        await plant(at(''), ['a=1', 'd/b=2', 'd/e/c=3', 'f/g=4']);
        const listing = await list();
        for (const { what, path } of done) {
          await clockMoved(folder.path);
          if (what === 'write') await writeFile(at(path), 'x');
          else if (what === 'mode') await chmod(at(path), 0o640);
          else if (what === 'replace') await renameOver(path, 'x');
          else if (what === 'swap') await swapTwice(path.split('/')[0] ?? '');
        }
        const same = await check(listing);
        expect(same).toBe(done.every(({ what }) => what === 'nothing'));
        if (same) expect(isUntouched(listing, await list())).toBe(true);
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

describe('a context that was built from its listing', () => {
  const planned = () => ({ directory: at('') });

  const open = (): Contexts =>
    new Contexts(new CacheStore(userFolder({ XDG_CACHE_HOME: join(folder.path, 'cache') })));

  /** @param asListed of each step that builds from it */
  async function builds(asListed: readonly boolean[], between?: string): Promise<number> {
    const contexts = open();
    await contexts.list(planned(), 'now', NEVER);
    const steps = asListed.map((each, i) => [`s${i}`, each] as const);
    const readers = new ContextReaders(contexts, new Map(steps.map(([label]) => [label, planned()])), NEVER);
    await clockMoved(folder.path);
    if (between !== undefined) await writeFile(at(between), 'x');
    for (const [label, each] of steps) readers.sent(label, each);
    return (await contexts.untouched([planned()], NEVER)).size;
  }

  beforeEach(async () => {
    await plant(at(''), ['a=1', 'd/b=2']);
    muchLater();
  });

  it('is recorded where all is as it was listed, whatever has come beside it', async () => {
    expect(await builds([true])).toBe(1);
    expect(await builds([true, true], 'new')).toBe(1);
    expect(await readdir(join(folder.path, 'cache/habitus/contexts'))).not.toEqual([]);
  });

  it('is not where a file has changed, nor where one has come and some step has listed it anew', async () => {
    expect(await builds([true], 'd/b')).toBe(0);
    expect(await builds([true, false], 'new')).toBe(0);
    expect(await builds([false, true], 'newer')).toBe(0);
    expect(await builds([true, false])).toBe(1);
  });

  it('is listed as a whole where contents were left for later', async () => {
    const contexts = open();
    await contexts.list(planned(), 'later', NEVER);
    await clockMoved(folder.path);
    await mkdir(at('new'));
    contexts.lookAgain(planned(), true, NEVER);
    expect((await contexts.untouched([planned()], NEVER)).size).toBe(0);
  });

  it('is told of again where what was written of it is damaged', async () => {
    await builds([true]);
    const kept = join(folder.path, 'cache/habitus/contexts');
    const [name = ''] = await readdir(kept);
    await truncate(join(kept, name), 10);
    await builds([true]);
    expect(
      await keptFiles(new CacheStore(userFolder({ XDG_CACHE_HOME: join(folder.path, 'cache') })), name),
    ).toBeDefined();
  });
});

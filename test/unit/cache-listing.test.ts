/** A listing that starts from what an earlier session remembered: it must find what one that knows nothing finds. */
import { chmod, link, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { listContext, type ContextListing } from '../../src/cache/context-digest.js';
import { StatCache } from '../../src/cache/stat-cache.js';
import { compileIgnore } from '../../src/tar/ignore.js';
import { NEVER } from '../support/tar.js';
import { clockMoved, plant, temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder.path, 'context', name);

afterEach(() => {
  vi.useRealTimers();
});

const list = (known: StatCache, ignore: string, readsContents: 'now' | 'later' = 'now') =>
  listContext({ directory: at(''), ignore: compileIgnore(ignore) }, known, { readsContents, signal: NEVER });

/** All that anybody is told. */
function told({ stamp, digest, contents, listed }: ContextListing): unknown {
  return {
    digest: digest?.digest,
    files: digest?.files().encode().toString('latin1'),
    stats: stamp.stats(),
    racy: stamp.racy,
    entries: [...listed.entries()],
    contents: listed.paths.map((_, place) => contents.at(place)),
  };
}

const IGNORE = fc.constantFrom('', 'd', 'd\n!d/e/a', '*/a', 'f');
const PATHS = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'f', 'f/a', 'f/b', 'z'] as const;
const EDITS = fc.array(
  fc.record({
    what: fc.constantFrom('write', 'mode', 'remove', 'rename', 'folder', 'symlink', 'link'),
    path: fc.constantFrom(...PATHS),
    other: fc.constantFrom(...PATHS),
  }),
  { maxLength: 5 },
);

type Edit = typeof EDITS extends fc.Arbitrary<(infer T)[]> ? T : never;

async function edit({ what, path, other }: Edit): Promise<void> {
  const one = at(path);
  await clockMoved(folder.path);
  switch (what) {
    case 'write':
      return writeFile(one, other);
    case 'mode':
      return chmod(one, other.length % 2 === 0 ? 0o700 : 0o755);
    case 'remove':
      return rm(one, { recursive: true });
    case 'rename':
      return rename(one, at(other));
    case 'folder':
      await mkdir(one);
      return;
    case 'symlink':
      return symlink(other, one);
    case 'link':
      return link(one, at(other));
  }
}

it('tells the same, and remembers the same, whatever has been done since', async () => {
  await fc.assert(
    fc.asyncProperty(EDITS, IGNORE, IGNORE, async (edits, ignore, other) => {
      await rm(at(''), { recursive: true, force: true });
      await plant(at(''), ['a=1', 'd/a=2', 'd/b=3', 'd/e/a=4', 'f/a=5', 'z -> a']);
      await link(at('d/a'), at('f/b'));
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
      const first = StatCache.empty();
      await list(first, ignore);
      await list(first, other);
      // Many of them are not possible, and then leave all as it is.
      for (const each of edits) await edit(each).catch(() => undefined);
      const expected = told(await list(StatCache.empty(), ignore));
      const second = StatCache.decode(first.encode());
      await list(second, other, 'later');
      expect(told(await list(second, ignore))).toEqual(expected);
      expect(told(await list(second, ignore)), 'asked once more').toEqual(expected);
      expect(told(await list(second, other)), 'of two contexts').toEqual(
        told(await list(StatCache.empty(), other)),
      );
      const third = StatCache.decode(second.encode());
      expect(told(await list(third, ignore)), 'in a third session').toEqual(expected);
      await list(third, other);
      expect(third.learned).toBe(0);
      expect(third.encode().equals(second.encode())).toBe(true);
      vi.useRealTimers();
    }),
    { numRuns: 80 },
  );
});

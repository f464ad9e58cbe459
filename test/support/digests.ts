/** Columns of digests, for tests that think in single ones. */
import { Digests } from '../../src/cache/digests.js';
import type { FileStat, StatCache } from '../../src/cache/stat-cache.js';

/** What a cache knows of one file. */
export function recalled(cache: StatCache, path: string, stats: FileStat): string | undefined {
  const found = new Digests();
  return cache.recall(path, stats, found, 0) ? found.at(0) : undefined;
}

export function digests(...all: readonly (string | undefined)[]): Digests {
  const column = new Digests();
  for (const [place, digest] of all.entries()) if (digest !== undefined) column.set(place, digest);
  return column;
}

/** Columns of digests, for tests that think in single ones. */
import { Digests } from '../../src/cache/digests.js';
import type { StatCache } from '../../src/cache/stat-cache.js';
import type { EntryStat } from '../../src/tar/stat-rows.js';

/** What a cache knows of one file. */
export function recalled(cache: StatCache, path: string, stats: EntryStat): string | undefined {
  const found = Digests.empty();
  return cache.recall(path, stats, found, 0) ? found.at(0) : undefined;
}

export function digests(...all: readonly (string | undefined)[]): Digests {
  const column = Digests.empty();
  for (const [place, digest] of all.entries()) if (digest !== undefined) column.set(place, digest);
  return column;
}

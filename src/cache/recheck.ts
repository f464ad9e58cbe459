/** Looks again at what a context was listed with. */
import { setImmediate as turn } from 'node:timers/promises';
import { monotonic } from '../clock.js';
import { look, type Scanned } from '../tar/scan.js';
import type { ContextListing } from './context-digest.js';
import { hashLarge, hashSmall, SMALL } from './hash-file.js';
import { now, type StatCache } from './stat-cache.js';

/** How long others wait, in milliseconds; what is done between two looks at the clock may add as much. */
const SLICE = 10;
/** Entries. */
const BETWEEN_LOOKS = 16;

/**
 * Whether all that was listed of a context still is as it was then, whatever came since. That takes much less than to list it again.
 * What a builder does not ask for counts as well: it may have got it from somebody else, in between, for the file that was listed.
 * Files that could have been written to without its showing are read once more.
 * @param known learns of those that were read once more
 * @throws ContextError where something cannot be looked at; the signal's reason on abort
 */
export async function isAsListed(
  directory: string,
  listing: ContextListing,
  known: StatCache,
  signal: AbortSignal,
): Promise<boolean> {
  const { racy } = listing.stamp;
  let until = monotonic() + SLICE;
  for (const [place, path] of listing.listed.paths.entries()) {
    if (place % BETWEEN_LOOKS === 0 && monotonic() >= until) {
      await turn();
      signal.throwIfAborted();
      until = monotonic() + SLICE;
    }
    const found = look(directory, path);
    if (found === undefined || !listing.listed.stats.isSame(place, found.stats)) return false;
    const content = racy.get(place);
    if (content === undefined) continue;
    const readAt = now();
    if (content !== (await digestOf(directory, found, signal))) return false;
    known.remember(path, found.stats, content, readAt);
  }
  return true;
}

async function digestOf(
  directory: string,
  { path, stats }: Scanned,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (stats.size <= SMALL) return hashSmall(directory, path, stats);
  return hashLarge(directory, path, stats, signal);
}

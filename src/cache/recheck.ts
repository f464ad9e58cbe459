/** Looks again at what was read of a context after it was listed. */
import { setImmediate as turn } from 'node:timers/promises';
import { placeOf } from '../tar/paths.js';
import { look, type Scanned } from '../tar/scan.js';
import { PERMISSIONS } from '../tar/walk.js';
import type { ContextListing } from './context-digest.js';
import { hashLarge, hashSmall, SMALL } from './hash-file.js';
import { now, type StatCache } from './stat-cache.js';

/** How long others wait at most, in milliseconds. */
const SLICE = 10;

/**
 * Whether files, and the folders on the way to them, are what they were when the context was listed. So are then the contents
 * that were read of them in between. Files that could have been written to without its showing are read once more.
 * @param opened paths of files, relative, latin1
 * @param known learns of those that were read once more
 * @throws ContextError where something cannot be looked at; the signal's reason on abort
 */
export async function isAsListed(
  directory: string,
  listing: ContextListing,
  opened: Iterable<string>,
  known: StatCache,
  signal: AbortSignal,
): Promise<boolean> {
  const { listed, stamp } = listing;
  const racy = new Map(Array.from(stamp.racy, ([place, content]) => [listed.paths[place] ?? '', content]));
  let until = performance.now() + SLICE;
  for (const path of withFolders([...opened, ...racy.keys()])) {
    const found = look(directory, path);
    if (found === undefined || !isSame(listing, path, found)) return false;
    const content = racy.get(path);
    if (content !== undefined) {
      const readAt = now();
      if (content !== (await digestOf(directory, found, signal))) return false;
      known.remember(path, found.stats, content, readAt);
    }
    if (performance.now() < until) continue;
    await turn();
    signal.throwIfAborted();
    until = performance.now() + SLICE;
  }
  return true;
}

/** The paths, and those of all folders that they are in; `.` is the context. */
function withFolders(paths: readonly string[]): ReadonlySet<string> {
  const all = new Set<string>();
  for (const path of paths) {
    all.add(path);
    for (let at = path.lastIndexOf('/'); at !== -1; at = path.lastIndexOf('/', at - 1)) {
      const folder = path.slice(0, at);
      if (all.has(folder)) break;
      all.add(folder);
    }
  }
  return all.size === 0 ? all : all.add('.');
}

function isSame({ listed, stamp }: ContextListing, path: string, { type, stats }: Scanned): boolean {
  if (path === '.') return stats.ctimeNs === stamp.rootChangeTime;
  const place = placeOf(listed.paths, path);
  if (listed.paths[place] !== path) return false;
  const before = listed.at(place);
  return (
    before.type === type &&
    before.mode === (Number(stats.mode) & PERMISSIONS) &&
    before.size === Number(stats.size) &&
    stamp.changeTimes.at(place) === stats.ctimeNs &&
    stamp.inodes.at(place) === BigInt.asIntN(64, stats.ino)
  );
}

async function digestOf(
  directory: string,
  { path, stats }: Scanned,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (stats.size <= SMALL) return hashSmall(directory, path, stats);
  return hashLarge(directory, path, stats, signal);
}

/** Lists a folder as a build context: what `scan` finds, as entries. */
import { setImmediate as turn } from 'node:timers/promises';
import { monotonic } from '../clock.js';
import type { ContextEntry } from './context.js';
import { ContextError } from './errors.js';
import type { IgnoreMatcher } from './ignore.js';
import { look, scan, type Scanned } from './scan.js';

/** An entry, and for a file with several names (hard links) a key that all its names share. */
export interface WalkedEntry {
  readonly entry: ContextEntry;
  readonly inode?: string;
}

/** How long others wait at most, in milliseconds. */
const SLICE = 10;
/** Of the bits of a mode. */
export const PERMISSIONS = 0o7777;

/**
 * As `scan`, with 0:0 for owner as docker sends a context.
 * @param directory absolute
 * @throws ContextError naming what cannot be read
 */
export async function* walk(
  directory: string,
  ignore: IgnoreMatcher | undefined,
  signal: AbortSignal,
): AsyncGenerator<WalkedEntry> {
  signal.throwIfAborted();
  let until = monotonic() + SLICE;
  for (const found of scan(directory, ignore)) {
    if (monotonic() >= until) {
      await turn();
      until = monotonic() + SLICE;
    }
    signal.throwIfAborted();
    yield toEntry(found);
  }
}

/** The folder at a path, if there is one; symlinks are not followed. */
export function folderAt(directory: string, path: string): WalkedEntry | undefined {
  try {
    const found = look(directory, path);
    return found?.type === 'directory' ? toEntry(found) : undefined;
  } catch (error) {
    if (error instanceof ContextError) return undefined;
    throw error;
  }
}

export function toEntry(found: Scanned): WalkedEntry {
  const { path, type, stats, target } = found;
  const { mtimeNs } = stats;
  const entry: ContextEntry = {
    ...plainEntry(path, type, { mode: Number(stats.mode) & PERMISSIONS, size: Number(stats.size), mtimeNs }),
    ...(target !== undefined && { linkname: target }),
    ...((type === 'character' || type === 'block') && deviceNumbers(stats.rdev)),
  };
  return hasNames(found) ? { entry, inode: `${stats.dev}:${stats.ino}` } : { entry };
}

/** What there is to say of an entry whatever its type, with 0:0 for owner. */
export function plainEntry(
  path: string,
  type: Scanned['type'],
  { mode, size, mtimeNs }: Pick<ContextEntry, 'mode' | 'size' | 'mtimeNs'>,
): ContextEntry {
  return { path, type, mode, uid: 0, gid: 0, size: type === 'file' ? size : 0, mtimeNs };
}

/** Whether it is a file with several names (hard links). */
export function hasNames({ type, stats }: Scanned): boolean {
  return type === 'file' && stats.nlink > 1n;
}

/** Linux's dev_t, see makedev(3). */
function deviceNumbers(device: bigint): { devMajor: number; devMinor: number } {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return { devMajor: Number(major), devMinor: Number(minor) };
}

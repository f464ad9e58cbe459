/**
 * Lists a folder with all that stat says, in fsutil's order, without what `.dockerignore` leaves out.
 *
 * Calls that do not wait take half the time of those that do when the system knows the answers already; whoever loops over
 * them gives way to others now and then.
 */
import { constants, lstatSync, readdirSync, readlinkSync, type BigIntStats } from 'node:fs';
import type { EntryType } from './context.js';
import type { IgnoreMatcher } from './ignore.js';
import { unreadable } from './local-file.js';
import { locationOf } from './paths.js';

export interface Scanned {
  /** Relative, latin1: one character a byte. */
  readonly path: string;
  readonly type: Exclude<EntryType, 'hardlink'>;
  readonly stats: BigIntStats;
  /** Of a symlink, latin1. */
  readonly target?: string;
}

/** A folder that is being listed. */
interface Frame {
  readonly folder: string;
  readonly names: readonly string[];
  next: number;
}

/**
 * Symlinks are entries, never followed. Sockets are left out, devices and fifos are entries: all as docker sends a context.
 * Ignored folders show up only when something below them is included.
 * @throws ContextError naming what cannot be read
 */
export function* scan(directory: string, ignore: IgnoreMatcher | undefined): Generator<Scanned> {
  const stack: Frame[] = [openFrame(directory, '')];
  /** Ignored folders on the way down that wait for an included child. */
  const waiting: (Scanned | undefined)[] = [];
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const name = frame.names[frame.next++];
    if (name === undefined) {
      stack.pop();
      waiting.pop();
      continue;
    }
    const path = frame.folder === '' ? name : `${frame.folder}/${name}`;
    const ignored = ignore?.ignores(path) ?? false;
    if (ignored && ignore?.mayContainIncluded(path) !== true) continue;
    const found = look(directory, path);
    if (found === undefined || (ignored && found.type !== 'directory')) continue;
    if (!ignored) {
      for (const [i, parent] of waiting.entries()) {
        if (parent) yield parent;
        waiting[i] = undefined;
      }
      yield found;
    }
    if (found.type === 'directory') {
      stack.push(openFrame(directory, path));
      waiting.push(ignored ? found : undefined);
    }
  }
}

/**
 * What there is at a path, not following it; `undefined` for a socket, which goes into no context.
 * @throws ContextError
 */
export function look(directory: string, path: string): Scanned | undefined {
  try {
    const location = locationOf(directory, path);
    const stats = lstatSync(location, { bigint: true });
    const type = typeOf(stats);
    if (type !== 'symlink') return type && { path, type, stats };
    return { path, type, stats, target: readlinkSync(location, { encoding: 'latin1' }) };
  } catch (error) {
    throw unreadable(path, error);
  }
}

function openFrame(directory: string, folder: string): Frame {
  try {
    const location = folder === '' ? directory : locationOf(directory, folder);
    return { folder, names: readdirSync(location, { encoding: 'latin1' }).sort(), next: 0 };
  } catch (error) {
    throw unreadable(folder === '' ? '.' : folder, error);
  }
}

/** Asking the stats themselves takes several bigints for each question. */
function typeOf({ mode }: BigIntStats): Scanned['type'] | undefined {
  switch (Number(mode) & constants.S_IFMT) {
    case constants.S_IFREG:
      return 'file';
    case constants.S_IFDIR:
      return 'directory';
    case constants.S_IFLNK:
      return 'symlink';
    case constants.S_IFIFO:
      return 'fifo';
    case constants.S_IFCHR:
      return 'character';
    case constants.S_IFBLK:
      return 'block';
    default:
      return undefined;
  }
}

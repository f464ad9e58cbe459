/** Context entries as fsutil's Stat messages. */
import type { ContextEntry, EntryType } from '../tar/context.js';
import type { Stat } from './wire.js';

/** Bits of Go's os.FileMode. Source: https://pkg.go.dev/io/fs#FileMode */
const GO_TYPE: Readonly<Record<EntryType, number>> = {
  file: 0,
  hardlink: 0,
  directory: 2 ** 31,
  symlink: 2 ** 27,
  block: 2 ** 26,
  character: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
};
const GO_SETUID = 2 ** 23;
const GO_SETGID = 2 ** 22;
const GO_STICKY = 2 ** 20;

export function statOf(entry: ContextEntry): Stat {
  const { path, uid, gid, linkname, devMajor = 0, devMinor = 0 } = entry;
  return {
    path,
    mode: goMode(entry),
    uid,
    gid,
    size: entry.type === 'symlink' ? (linkname ?? '').length : entry.size,
    modTime: entry.mtimeNs,
    linkname,
    devmajor: devMajor,
    devminor: devMinor,
  };
}

function goMode({ type, mode }: ContextEntry): number {
  const special =
    (mode & 0o4000 ? GO_SETUID : 0) + (mode & 0o2000 ? GO_SETGID : 0) + (mode & 0o1000 ? GO_STICKY : 0);
  return GO_TYPE[type] + special + (mode & 0o777);
}

/** An entry as it is announced, and the one to open for its content; only files have any. */
export interface Offer {
  readonly entry: ContextEntry;
  readonly content: ContextEntry | undefined;
}

function offer(entry: ContextEntry): Offer {
  return { entry, content: entry.type === 'file' ? entry : undefined };
}

/**
 * Offers for the entries that were kept of all. Where the file that hard links name was left out, the first link becomes
 * the file. Links are announced in the size that lstat(2) tells: BuildKit takes any other for a change, links once more, and
 * leaves the new name beside the old one, as rename(2) does nothing where both are one file.
 */
export function offerKept(kept: readonly ContextEntry[], all: readonly ContextEntry[]): readonly Offer[] {
  const links = kept.filter(({ type }) => type === 'hardlink');
  if (links.length === 0) return kept.map(offer);
  const names = new Set(links.map(({ linkname = '' }) => linkname));
  const files = new Map(all.filter(({ path }) => names.has(path)).map((entry) => [entry.path, entry]));
  const present = new Map(kept.filter(({ path }) => names.has(path)).map(({ path }) => [path, path]));
  return kept.map((entry) => {
    const { linkname = '', path } = entry;
    const file = entry.type === 'hardlink' ? files.get(linkname) : undefined;
    if (file === undefined) return offer(entry);
    const first = present.get(linkname);
    if (first !== undefined)
      return { entry: { ...entry, linkname: first, size: file.size }, content: undefined };
    present.set(linkname, path);
    return { entry: { ...file, path }, content: file };
  });
}

/** Context entries as fsutil's Stat messages. */
import type { ContextEntry, EntryType } from '../tar/context.js';
import type { EntryList } from '../tar/entry-list.js';
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
interface Offer {
  readonly entry: ContextEntry;
  readonly content: ContextEntry | undefined;
}

/** Those of all entries that were kept, as they are announced: numbers are their places among these. */
export class Offers {
  readonly #all: EntryList;
  readonly #kept: readonly number[];
  /** By place in the list of all. */
  readonly #links: ReadonlyMap<number, Offer>;

  /** @param kept places of entries in the list, in order */
  constructor(all: EntryList, kept: readonly number[]) {
    this.#all = all;
    this.#kept = kept;
    this.#links = all.mayLink ? offerLinks(all, kept) : new Map();
  }

  get count(): number {
    return this.#kept.length;
  }

  entry(number: number): ContextEntry {
    return this.#offer(number).entry;
  }

  /** What to open for the content of an entry that was announced, if it has any. */
  content(number: number): ContextEntry | undefined {
    return number < this.count ? this.#offer(number).content : undefined;
  }

  #offer(number: number): Offer {
    const place = this.#kept[number];
    if (place === undefined) throw new RangeError(`no entry has the number ${number}`);
    const link = this.#links.get(place);
    if (link !== undefined) return link;
    const entry = this.#all.at(place);
    return { entry, content: entry.type === 'file' ? entry : undefined };
  }
}

/**
 * Offers for hard links. Where the file that they name was left out, the first one becomes the file. They are announced in the
 * size that lstat(2) tells: BuildKit takes any other for a change, links once more, and leaves the new name beside the old one, as
 * rename(2) does nothing where both are one file.
 */
function offerLinks(all: EntryList, kept: readonly number[]): ReadonlyMap<number, Offer> {
  const links = kept.filter((place) => all.at(place).type === 'hardlink');
  const names = new Set(links.map((place) => all.at(place).linkname ?? ''));
  const files = new Map([...all].filter(({ path }) => names.has(path)).map((entry) => [entry.path, entry]));
  const present = new Map(
    kept.flatMap((place) => {
      const path = all.paths[place] ?? '';
      return names.has(path) ? [[path, path]] : [];
    }),
  );
  const offers = new Map<number, Offer>();
  for (const place of links) {
    const { path, linkname = '' } = all.at(place);
    const file = files.get(linkname);
    if (file === undefined) continue;
    const first = present.get(linkname);
    if (first === undefined) {
      present.set(linkname, path);
      offers.set(place, { entry: { ...file, path }, content: file });
    } else {
      const entry = { ...all.at(place), linkname: first, size: file.size };
      offers.set(place, { entry, content: undefined });
    }
  }
  return offers;
}

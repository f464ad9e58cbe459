/** Turns the entries of an artifact's archive into entries below the work directory, and refuses what is unsafe. */
import type { ContextEntry, EntryType } from './context.js';
import { ContextError } from './errors.js';
import { XATTR_PREFIX } from './header.js';
import { LinkNames } from './links.js';
import { comparePaths, shown, toLatin1 } from './paths.js';
import type { RawEntry } from './raw.js';

export interface ArtifactSource {
  /** Absolute path in the image, cleaned. */
  readonly source: string;
  /** Folder relative to the work directory, cleaned; `''` is the work directory itself. */
  readonly destination: string;
}

export interface IndexedEntry {
  readonly entry: ContextEntry;
  /** Offset of the content in the archive; only meaningful for files. */
  readonly data: number;
}

/**
 * The engine names the entries by the last component of the source; they are re-rooted at the destination, and so are the
 * targets of hard links.
 * @returns in fsutil's order; of several hard links the first is the file
 * @throws ContextError
 */
export function indexArtifact(
  raw: readonly RawEntry[],
  { source, destination }: ArtifactSource,
): IndexedEntry[] {
  const root = toLatin1(source.slice(source.lastIndexOf('/') + 1));
  const target = toLatin1(destination);
  const place = (name: string) => {
    const path = clean(name, source);
    if (path !== root && root !== '' && !path.startsWith(`${root}/`)) {
      throw refused(source, `it holds ${shown(name)}, which lies outside it`);
    }
    if (path === '') return target;
    return target === '' ? path : `${target}/${path}`;
  };
  const found = new Map<string, IndexedEntry>();
  /** Content offsets that several names share. */
  const shared = new Set<number>();
  for (const entry of raw) {
    const path = place(entry.path);
    // The root of the image and the work directory itself are nobody's entries.
    if (path === '' || (root === '' && path === target)) continue;
    if (found.has(path)) throw refused(source, `it holds ${shown(entry.path)} twice`);
    if (entry.type === '1') {
      const original = found.get(place(entry.linkname));
      if (!original || original.entry.type === 'directory') {
        throw refused(
          source,
          `its hard link ${shown(entry.path)} points to ${shown(entry.linkname)}, which is not a file in it`,
        );
      }
      if (original.entry.type === 'file') shared.add(original.data);
      found.set(path, { entry: { ...original.entry, path }, data: original.data });
    } else {
      found.set(path, { entry: convert(entry, path, source), data: entry.data });
    }
  }
  if (found.size === 0 && root !== '') throw refused(source, 'the engine sent nothing of it');
  const sorted = [...found.values()].sort((a, b) => comparePaths(a.entry.path, b.entry.path));
  refuseChildrenOfFiles(sorted, source);
  const links = new LinkNames<number>();
  return sorted.map(({ entry, data }) => ({
    entry: shared.has(data) ? links.name(entry, data) : entry,
    data,
  }));
}

/** Linux's PATH_MAX: no file system can take a longer one, nor a symlink to one; the time for all its folders grows with the square. */
const LONGEST_NAME = 4096;

/** Without leading `/`, leading `./` and trailing `/`. */
function clean(name: string, source: string): string {
  const path = name
    .replace(/^\/+/, '')
    .replace(/^(\.\/+)+/, '')
    .replace(/\/+$/, '');
  if (path === '' || path === '.') return '';
  if (path.length > LONGEST_NAME) {
    throw refused(source, `it holds a name of more than ${LONGEST_NAME} bytes, ${shown(path.slice(0, 60))}…`);
  }
  for (const component of path.split('/')) {
    if (component === '' || component === '.' || component === '..') {
      throw refused(source, `it holds the unsafe name ${shown(name)}`);
    }
  }
  return path;
}

function convert(raw: RawEntry, path: string, source: string): ContextEntry {
  const type = typeOf(raw.type);
  if (!type)
    throw refused(source, `${shown(raw.path)} is of a kind (${shown(raw.type)}) that cannot be carried`);
  if (type === 'symlink' && raw.linkname.length > LONGEST_NAME) {
    throw refused(source, `the target of its symlink ${shown(path)} has more than ${LONGEST_NAME} bytes`);
  }
  const device = type === 'character' || type === 'block';
  const xattrs = [...raw.pax].filter(([key]) => key.startsWith(XATTR_PREFIX));
  return {
    path,
    type,
    mode: raw.mode & 0o7777,
    uid: raw.uid,
    gid: raw.gid,
    size: raw.size,
    mtimeNs: raw.mtimeNs,
    ...(type === 'symlink' && { linkname: raw.linkname }),
    ...(device && { devMajor: raw.devMajor, devMinor: raw.devMinor }),
    ...(xattrs.length > 0 && {
      xattrs: new Map(xattrs.map(([key, value]) => [key.slice(XATTR_PREFIX.length), value])),
    }),
  };
}

/** `1`, the hard link, is handled apart. */
function typeOf(flag: string): EntryType | undefined {
  switch (flag) {
    case '0':
    case '7':
      return 'file';
    case '2':
      return 'symlink';
    case '3':
      return 'character';
    case '4':
      return 'block';
    case '5':
      return 'directory';
    case '6':
      return 'fifo';
    default:
      return undefined;
  }
}

/** A symlink with children would lead them elsewhere. */
function refuseChildrenOfFiles(sorted: readonly IndexedEntry[], source: string): void {
  const last: ContextEntry[] = [];
  for (const { entry } of sorted) {
    let above = last.at(-1);
    while (above && !entry.path.startsWith(`${above.path}/`)) {
      last.pop();
      above = last.at(-1);
    }
    if (above && above.type !== 'directory') {
      throw refused(source, `${shown(above.path)} has entries below it but is no folder`);
    }
    last.push(entry);
  }
}

function refused(source: string, problem: string): ContextError {
  return new ContextError(`The artifact ${shown(toLatin1(source))} cannot be used: ${problem}`, {
    hint: 'Take another file or folder of the image as the artifact.',
  });
}

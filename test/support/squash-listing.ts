/** What `docker export` tells of a file system, as one line a path: all that squash must keep. */
import { createHash } from 'node:crypto';
import { TarScanner, type RawEntry } from '../../src/tar/raw.js';

/** Path → type, mode, owner, time, content or target, extended attributes, and the first path of its hard-link group. */
export type Listing = ReadonlyMap<string, string>;

const OF_THE_ENGINE = /^(?:\.dockerenv|(?:dev|proc|sys)(?:\/.*)?|etc\/(?:hostname|hosts|mtab|resolv\.conf))$/;

/** What builders' caches do not look at: in that, two builds of the same may differ. */
export interface Unseen {
  readonly times?: boolean;
  /** Each is listed as the file that it is a link to. */
  readonly hardLinks?: boolean;
}

/** Without what engines put into every new container, and the time of its /etc, which that changes. */
export function listingOf(archive: Buffer, unseen: Unseen = {}): Listing {
  const scanner = new TarScanner();
  const found: { readonly entry: RawEntry; readonly digest: string }[] = [];
  let hash = createHash('sha256');
  for (const event of scanner.feed(archive)) {
    if (event.type === 'entry') hash = createHash('sha256');
    else if (event.type === 'body') hash.update(event.bytes);
    else found.push({ entry: event.entry, digest: hash.digest('hex').slice(0, 16) });
  }
  scanner.end();
  const groups = new Set<string>();
  const lines = new Map<string, string>();
  for (const { entry } of found) {
    if (entry.type === '1') groups.add(clean(entry.linkname));
  }
  for (const { entry, digest } of found) {
    const path = clean(entry.path);
    if (OF_THE_ENGINE.test(path)) continue;
    const target = entry.type === '1' ? clean(entry.linkname) : path;
    if (unseen.hardLinks === true && target !== path) {
      lines.set(path, lines.get(target) ?? 'a link to nothing');
      continue;
    }
    const linked = groups.has(target) && unseen.hardLinks !== true ? ` group of ${target}` : '';
    const timeless = unseen.times === true || path === 'etc';
    lines.set(path, `${describe(timeless ? { ...entry, mtimeNs: 0n } : entry, digest)}${linked}`);
  }
  return lines;
}

function describe(entry: RawEntry, digest: string): string {
  const { type, mode, uid, gid, size, mtimeNs, linkname, devMajor, devMinor, pax } = entry;
  const xattrs = [...pax]
    .filter(([key]) => key.startsWith('SCHILY.xattr.'))
    .map(([key, value]) => `${key.slice(13)}=${Buffer.from(value, 'latin1').toString('hex')}`)
    .sort();
  const what = type === '0' ? `${size} ${digest}` : type === '2' ? `-> ${linkname}` : '';
  const device = type === '3' || type === '4' ? `${devMajor}:${devMinor}` : '';
  return [type, (mode & 0o7777).toString(8), `${uid}:${gid}`, String(mtimeNs), what, device, ...xattrs]
    .filter((part) => part !== '')
    .join(' ');
}

function clean(path: string): string {
  return path.replace(/^(?:\.?\/)+/, '').replace(/\/$/, '');
}

/** `- path was`, `+ path is`, sorted by path; empty when both are the same. */
export function difference(before: Listing, after: Listing): string[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (was === is) return [];
    return [
      ...(was === undefined ? [] : [`- ${path} ${was}`]),
      ...(is === undefined ? [] : [`+ ${path} ${is}`]),
    ];
  });
}

/** Writes tar headers: ustar, with a PAX block where a name, a number or an attribute does not fit. */
import type { ContextEntry, EntryType } from './context.js';
import { ContextError } from './errors.js';
import { formatPax, formatPaxTime } from './pax.js';
import { BLOCK } from './raw-header.js';
import { padded } from './raw.js';
import { shown } from './paths.js';

/** Two zero blocks. */
export const END_MARK: Buffer = Buffer.alloc(2 * BLOCK);

export const XATTR_PREFIX = 'SCHILY.xattr.';

const NAME_LENGTH = 100;
const PREFIX_LENGTH = 155;
const NANOSECONDS = 1_000_000_000n;
/** Largest numbers of the octal fields, which end with a NUL. */
const MAX_7 = 0o7777777;
const MAX_11 = 0o77777777777;

const FLAGS: Readonly<Record<EntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

export interface HeaderOptions {
  /** Whether times keep their fraction of a second; otherwise whole seconds, rounded down, as docker sends them. */
  readonly time: 'seconds' | 'nanoseconds';
}

/**
 * All blocks before the body. The same entry always gives the same bytes. Names go out byte for byte, whatever their
 * encoding: Go's archive/tar and GNU tar read them so.
 * @throws ContextError when an extended attribute cannot be written
 */
export function encodeHeader(entry: ContextEntry, options: HeaderOptions = { time: 'seconds' }): Buffer {
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const linkname = entry.linkname ?? '';
  const size = entry.type === 'file' ? entry.size : 0;
  const split = splitName(path);
  const seconds = floorSeconds(entry.mtimeNs);
  const timeFits = seconds >= 0n && seconds <= BigInt(MAX_11);
  const fraction = options.time === 'nanoseconds' && entry.mtimeNs !== seconds * NANOSECONDS;

  const records: string[] = [];
  if (!split) records.push(formatPax('path', path));
  if (linkname.length > NAME_LENGTH) records.push(formatPax('linkpath', linkname));
  if (size > MAX_11) records.push(formatPax('size', String(size)));
  if (entry.uid > MAX_7) records.push(formatPax('uid', String(entry.uid)));
  if (entry.gid > MAX_7) records.push(formatPax('gid', String(entry.gid)));
  if (fraction) records.push(formatPax('mtime', formatPaxTime(entry.mtimeNs)));
  else if (!timeFits) records.push(formatPax('mtime', String(seconds)));
  for (const [name, value] of [...(entry.xattrs ?? [])].sort(byName)) {
    if (name.includes('=') || name.includes('\0')) {
      throw new ContextError(
        `The extended attribute ${shown(name)} of ${shown(entry.path)} has "=" in its name`,
        {
          hint: 'Remove that attribute: archives cannot carry it.',
        },
      );
    }
    records.push(formatPax(XATTR_PREFIX + name, value));
  }

  const pax = records.join('');
  const metaLength = pax === '' ? 0 : BLOCK + padded(pax.length);
  const out = Buffer.alloc(metaLength + BLOCK);
  if (pax !== '') {
    writeBlock(out, 0, { name: 'PaxHeader', prefix: '', flag: 'x', mode: 0o644, size: pax.length });
    out.write(pax, BLOCK, 'latin1');
  }
  writeBlock(out, metaLength, {
    name: split?.name ?? path.slice(0, NAME_LENGTH),
    prefix: split?.prefix ?? '',
    flag: FLAGS[entry.type],
    mode: entry.mode,
    size: size > MAX_11 ? 0 : size,
    uid: entry.uid > MAX_7 ? 0 : entry.uid,
    gid: entry.gid > MAX_7 ? 0 : entry.gid,
    mtime: timeFits ? Number(seconds) : 0,
    linkname: linkname.slice(0, NAME_LENGTH),
    devMajor: entry.devMajor ?? 0,
    devMinor: entry.devMinor ?? 0,
  });
  return out;
}

interface Fields {
  readonly name: string;
  readonly prefix: string;
  readonly flag: string;
  readonly mode: number;
  readonly size: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly linkname?: string;
  readonly devMajor?: number;
  readonly devMinor?: number;
}

function writeBlock(out: Buffer, at: number, fields: Fields): void {
  out.write(fields.name, at, 'latin1');
  octal(out, at + 100, 7, fields.mode);
  octal(out, at + 108, 7, fields.uid ?? 0);
  octal(out, at + 116, 7, fields.gid ?? 0);
  octal(out, at + 124, 11, fields.size);
  octal(out, at + 136, 11, fields.mtime ?? 0);
  out.write(`        ${fields.flag}${fields.linkname ?? ''}`, at + 148, 'latin1');
  out.write('ustar\x0000', at + 257, 'latin1');
  octal(out, at + 329, 7, fields.devMajor ?? 0);
  octal(out, at + 337, 7, fields.devMinor ?? 0);
  out.write(fields.prefix, at + 345, 'latin1');
  let sum = 0;
  for (let i = at; i < at + BLOCK; i++) sum += out[i] ?? 0;
  octal(out, at + 148, 6, sum);
  out[at + 154] = 0;
}

function octal(out: Buffer, at: number, digits: number, value: number): void {
  out.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
}

/** The name as a ustar name and prefix, `undefined` if it fits in no way. */
function splitName(path: string): { readonly name: string; readonly prefix: string } | undefined {
  if (path.length <= NAME_LENGTH) return { name: path, prefix: '' };
  const slash = path.indexOf('/', path.length - NAME_LENGTH - 1);
  if (slash <= 0 || slash > PREFIX_LENGTH || slash === path.length - 1) return undefined;
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

function floorSeconds(nanoseconds: bigint): bigint {
  const seconds = nanoseconds / NANOSECONDS;
  return nanoseconds < seconds * NANOSECONDS ? seconds - 1n : seconds;
}

function byName(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : 1;
}

/** New headers for the members of a hard-link group: the metadata of one entry with another name, type and target. */
import { encodeHeader } from '../tar/header.js';
import { formatPax } from '../tar/pax.js';
import { BLOCK } from '../tar/raw-header.js';
import { TarScanner, type RawEntry } from '../tar/raw.js';

const NAME_LENGTH = 100;
/** Records that say where an entry is or what it links to, which the new header says anew, or that stand for `size`. */
const REPLACED: ReadonlySet<string> = new Set(['path', 'linkpath', 'size']);

/** What a member of a group becomes. */
export interface NewHeader {
  /** latin1, without leading or trailing slash. */
  readonly path: string;
  /** All blocks of the entry whose mode, owner, time and attributes the group has. */
  readonly metadata: Buffer;
  /** All blocks but the body of the entry with the content; absent for a member that links to one with it. */
  readonly inode?: Buffer;
  /** Path of the member with the content, for one that links to it. */
  readonly linkname?: string;
}

/** No byte of the old names is left: they may be names of deleted files. */
export function rehead({ path, metadata, inode, linkname }: NewHeader): Buffer {
  const records = new Map([...parse(metadata).pax].filter(([key]) => !REPLACED.has(key)));
  const header = Buffer.from(metadata.subarray(metadata.length - BLOCK));
  let target = linkname ?? '';
  if (inode === undefined) {
    header.write('1', 156, 'latin1');
    header.fill(0, 124, 135).write('00000000000', 124, 'latin1');
  } else {
    const entry = parse(inode);
    const old = inode.subarray(inode.length - BLOCK);
    // The size in its own form (octal, base 256 or a record), the type and, for device files, the numbers.
    old.copy(header, 124, 124, 136);
    old.copy(header, 156, 156, 157);
    old.copy(header, 329, 329, 345);
    const size = entry.pax.get('size');
    if (size !== undefined) records.set('size', size);
    if (entry.type === '2') target = entry.linkname;
  }
  if (path.length > NAME_LENGTH) records.set('path', path);
  if (target.length > NAME_LENGTH) records.set('linkpath', target);
  setText(header, 0, path);
  setText(header, 157, target);
  clearPrefix(header);
  setChecksum(header);
  return Buffer.concat([paxBlocks(records), header]);
}

/** Reads the blocks before a body. */
function parse(blocks: Buffer): RawEntry {
  for (const event of new TarScanner().feed(blocks)) if (event.type === 'entry') return event.entry;
  throw new Error('The blocks of an entry hold no header');
}

function setText(header: Buffer, at: number, value: string): void {
  header.fill(0, at, at + NAME_LENGTH);
  header.write(value.slice(0, NAME_LENGTH), at, 'latin1');
}

/** The first part of a long name; GNU and star headers have times there, which stay. */
function clearPrefix(header: Buffer): void {
  const posix = header.toString('latin1', 257, 263) === 'ustar\0';
  if (!posix) return;
  const star = header.toString('latin1', 508, BLOCK) === 'tar\0';
  header.fill(0, 345, star ? 476 : 500);
}

function setChecksum(header: Buffer): void {
  header.fill(' ', 148, 156, 'latin1');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

function paxBlocks(records: ReadonlyMap<string, string>): Buffer {
  if (records.size === 0) return Buffer.alloc(0);
  const body = [...records].map(([key, value]) => formatPax(key, value)).join('');
  const blocks = encodeHeader({
    path: 'PaxHeader',
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtimeNs: 0n,
  });
  const header = blocks.subarray(0, BLOCK);
  header.write('x', 156, 'latin1');
  setChecksum(header);
  const padded = Buffer.alloc(Math.ceil(body.length / BLOCK) * BLOCK);
  padded.write(body, 'latin1');
  return Buffer.concat([header, padded]);
}

/** Reads the fields of one 512-byte tar header: v7, ustar, GNU and star forms (tar(5)). */
import { TarError } from './errors.js';

export const BLOCK = 512;
const CHECKSUM = 148;
const MAGIC = 257;
const SPACE = 0x20;

/** A header's own fields, before K, L and x blocks have their say. */
export interface RawFields {
  readonly path: string;
  readonly linkname: string;
  /** One character; `0` for the NUL of old archives. */
  readonly type: string;
  /** True for the NUL type, by which v7 archives mark folders with a trailing slash only. */
  readonly v7: boolean;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds. */
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

export function isZeroBlock(block: Buffer, at: number): boolean {
  for (let i = at; i < at + BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/**
 * @param at where the header starts in `block`
 * @param offset the header's offset in the archive, for errors
 * @throws TarError
 */
export function readHeader(block: Buffer, at: number, offset: number): RawFields {
  verifyChecksum(block, at, offset);
  const flag = block[at + 156] ?? 0;
  const v7 = flag === 0;
  const ustar =
    block[at + MAGIC] === 0x75 && block.toString('latin1', at + MAGIC, at + MAGIC + 5) === 'ustar';
  const posix = ustar && block[at + MAGIC + 5] === 0;
  const star = posix && block.toString('latin1', at + 508, at + BLOCK) === 'tar\0';
  const name = text(block, at, 100);
  const prefix = posix ? text(block, at + 345, star ? 131 : 155) : '';
  const field = (start: number, length: number, what: string) =>
    number(block, at + start, length, what, offset);
  const unsigned = (start: number, length: number, what: string) => {
    const value = field(start, length, what);
    if (value < 0) throw new TarError(`${what} is negative`, offset);
    return value;
  };
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    linkname: text(block, at + 157, 100),
    type: v7 ? '0' : String.fromCharCode(flag),
    v7,
    size: unsigned(124, 12, 'the size'),
    mode: unsigned(100, 8, 'the mode'),
    uid: unsigned(108, 8, 'the uid'),
    gid: unsigned(116, 8, 'the gid'),
    mtime: field(136, 12, 'the time'),
    devMajor: ustar ? unsigned(329, 8, 'the device number') : 0,
    devMinor: ustar ? unsigned(337, 8, 'the device number') : 0,
  };
}

/** A NUL-terminated string, or the whole field. */
export function text(block: Buffer, start: number, length: number): string {
  if (block[start] === 0) return '';
  let end = start;
  while (end < start + length && block[end] !== 0) end++;
  return block.toString('latin1', start, end);
}

/** Octal digits with blanks or NULs around, or big-endian base 256 where the first bit is set. */
function number(block: Buffer, start: number, length: number, what: string, offset: number): number {
  const end = start + length;
  const first = block[start] ?? 0;
  if (first >= 0x80) return base256(block, start, end, what, offset);
  let i = start;
  while (i < end && (block[i] === SPACE || block[i] === 0)) i++;
  let value = 0;
  for (; i < end; i++) {
    const byte = block[i] ?? 0;
    if (byte === SPACE || byte === 0) break;
    if (byte < 0x30 || byte > 0x37) throw new TarError(`${what} is not a number`, offset);
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

/** Two's complement; the first bit is the marker, the second the sign. */
function base256(block: Buffer, start: number, end: number, what: string, offset: number): number {
  const first = block[start] ?? 0;
  const negative = (first & 0x40) !== 0;
  let value = negative ? (first & 0x7f) - 0x80 : first & 0x7f;
  for (let i = start + 1; i < end; i++) value = value * 256 + (block[i] ?? 0);
  if (!Number.isSafeInteger(value)) throw new TarError(`${what} is out of range`, offset);
  return value;
}

/** The sum of all bytes, those of the field itself counted as blanks; some old programs summed signed bytes. */
function verifyChecksum(block: Buffer, at: number, offset: number): void {
  const end = at + BLOCK;
  let sum = 8 * SPACE;
  for (let i = at; i < end; i++) sum += block[i] ?? 0;
  for (let i = at + CHECKSUM; i < at + CHECKSUM + 8; i++) sum -= block[i] ?? 0;
  const stored = number(block, at + CHECKSUM, 8, 'the checksum', offset);
  if (sum === stored) return;
  for (let i = at; i < end; i++) {
    const inField = i >= at + CHECKSUM && i < at + CHECKSUM + 8;
    if (!inField && (block[i] ?? 0) >= 0x80) sum -= 256;
  }
  if (sum !== stored) throw new TarError('the checksum of a header does not match', offset);
}

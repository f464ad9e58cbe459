/** Tells by its first bytes whether a file is a container, and which. */
import { TarError } from '../tar/errors.js';
import { BLOCK, readHeader } from '../tar/raw-header.js';

export type Kind =
  | { readonly is: 'plain' }
  | { readonly is: 'gzip' | 'zstd' | 'zip' | 'tar' }
  /** A container that cannot be looked into. */
  | { readonly is: 'closed'; readonly name: string };

/** As many bytes as a decision may need. */
export const HEAD_BYTES = BLOCK;

const PLAIN: Kind = { is: 'plain' };
const MAGIC: readonly (readonly [magic: string, kind: Kind])[] = [
  ['\x1f\x8b', { is: 'gzip' }],
  ['\x28\xb5\x2f\xfd', { is: 'zstd' }],
  ['PK\x03\x04', { is: 'zip' }],
  ['\xfd7zXZ\x00', { is: 'closed', name: 'xz' }],
  ['BZh', { is: 'closed', name: 'bzip2' }],
  ['7z\xbc\xaf\x27\x1c', { is: 'closed', name: '7z' }],
  ['Rar!\x1a\x07', { is: 'closed', name: 'rar' }],
  ['\x04\x22\x4d\x18', { is: 'closed', name: 'lz4' }],
  ['!<arch>\ndebian-binary', { is: 'closed', name: 'Debian package' }],
  ['\xed\xab\xee\xdb', { is: 'closed', name: 'RPM package' }],
];
const FIRST_BYTES: ReadonlySet<number> = new Set(MAGIC.map(([magic]) => magic.charCodeAt(0)));

/** @param head the first `HEAD_BYTES` of a file, or more, or all of a shorter one */
export function kindOf(head: Buffer): Kind {
  if (FIRST_BYTES.has(head[0] ?? -1)) {
    for (const [magic, kind] of MAGIC) {
      if (head.toString('latin1', 0, magic.length) === magic) return isName(head, kind) ? PLAIN : kind;
    }
  }
  return looksLikeTar(head) ? { is: 'tar' } : PLAIN;
}

/** Three letters begin many a text; bzip2 goes on with the block size and the digits of pi. */
function isName(head: Buffer, kind: Kind): boolean {
  return (
    kind.is === 'closed' && kind.name === 'bzip2' && !/^[1-9]1AY&SY/.test(head.toString('latin1', 3, 10))
  );
}

/** Old archives have no magic; but hardly anything else has digits where their checksum is, and the right ones. */
function looksLikeTar(head: Buffer): boolean {
  if (head.length < BLOCK || head[0] === 0) return false;
  for (let at = 148; at < 154; at++) {
    const byte = head[at] ?? 0;
    if (byte !== 0x20 && byte !== 0 && (byte < 0x30 || byte > 0x37)) return false;
  }
  try {
    readHeader(head, 0, 0);
    return true;
  } catch (error) {
    if (error instanceof TarError) return false;
    throw error;
  }
}

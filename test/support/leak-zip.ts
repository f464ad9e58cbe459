/** Zip archives for tests, in the forms that programs write: sizes before or after the content, stored or deflated. */
import { deflateRawSync } from 'node:zlib';

export interface ZipMember {
  readonly name: string;
  readonly content: Buffer;
  readonly method?: 'stored' | 'deflated' | 'unknown';
  /** `after`: in a data descriptor, as streaming writers do. */
  readonly sizes?: 'before' | 'after' | 'zip64';
  readonly encrypted?: boolean;
}

const METHODS = { stored: 0, deflated: 8, unknown: 99 } as const;

export function zip(members: readonly ZipMember[]): Buffer {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const { content, name, method = 'deflated', sizes = 'before', encrypted = false } = member;
    const body = method === 'deflated' ? deflateRawSync(content) : content;
    const flags = (encrypted ? 1 : 0) | (sizes === 'after' ? 8 : 0);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(METHODS[method], 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(body.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const extra = sizes === 'zip64' ? zip64(content.length, body.length) : Buffer.alloc(0);
    const head = Buffer.from(common);
    head.writeUInt16LE(extra.length, 24);
    if (sizes === 'after') head.fill(0, 10, 22);
    if (sizes === 'zip64') head.fill(0xff, 14, 22);
    const descriptor =
      sizes === 'after' ? Buffer.concat([Buffer.from('PK\x07\x08'), common.subarray(10, 22)]) : '';
    const parts = ['PK\x03\x04', head, name, extra, body, descriptor].map((part) =>
      Buffer.from(part as string),
    );
    local.push(...parts);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\0'), common, Buffer.from(tail), Buffer.from(name));
    offset += Buffer.concat(parts).length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, central, end]);
}

function zip64(size: number, packed: number): Buffer {
  const field = Buffer.alloc(20);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(16, 2);
  field.writeBigUInt64LE(BigInt(size), 4);
  field.writeBigUInt64LE(BigInt(packed), 12);
  return field;
}

/** CRC-32 as zip has it (ISO 3309): Node 20.19 has none. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

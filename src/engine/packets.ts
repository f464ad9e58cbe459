/**
 * fsutil's packets; those with content are written where they are sent from, as gRPC messages.
 * Source: https://github.com/tonistiigi/fsutil (types/wire.proto)
 */
import { PREFIX, writePrefix } from './grpc-frames.js';
import { MessageWriter, varintLength, writeVarint } from './protobuf.js';
import { PACKET, PACKET_FIELD, writeStat, type Stat } from './wire.js';

/** Ends the list of entries: a stat packet without a stat. */
export const END_OF_LIST = new MessageWriter().bytes;

export const FINISH = new MessageWriter().number(PACKET_FIELD.type, PACKET.finish).bytes;

export function errorPacket(message: string): Buffer {
  const packet = new MessageWriter().number(PACKET_FIELD.type, PACKET.error);
  return packet.data(PACKET_FIELD.data, Buffer.from(message)).bytes;
}

/** Makes packets that announce an entry; each is valid until the next is made. */
export class StatPackets {
  readonly #stat = new MessageWriter();
  readonly #packet = new MessageWriter();

  make(stat: Stat): Buffer {
    writeStat(this.#stat.clear(), stat);
    return this.#packet.clear().data(PACKET_FIELD.stat, this.#stat.bytes).bytes;
  }
}

const TYPE_TAG = PACKET_FIELD.type << 3;
const ID_TAG = PACKET_FIELD.id << 3;
const DATA_TAG = (PACKET_FIELD.data << 3) | 2;

/** Bytes of all that stands before the content in a data packet, prefix and all. */
export function dataHeadLength(id: number, length: number): number {
  return PREFIX + messageHeadLength(id, length);
}

function messageHeadLength(id: number, length: number): number {
  return 2 + 1 + varintLength(id) + 1 + varintLength(length);
}

/**
 * Write what stands before a piece of a file's content; the content follows. A piece of no bytes ends the file.
 * @returns where the content begins
 */
export function writeDataHead(target: Buffer, start: number, id: number, length: number): number {
  writePrefix(target, start, messageHeadLength(id, length) + length);
  let at = start + PREFIX;
  target[at++] = TYPE_TAG;
  target[at++] = PACKET.data;
  target[at++] = ID_TAG;
  at = writeVarint(target, at, id);
  target[at++] = DATA_TAG;
  return writeVarint(target, at, length);
}

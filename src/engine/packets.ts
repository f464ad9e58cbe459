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

/** Collects packets that announce entries, as gRPC messages one after the other. */
export class StatPackets {
  readonly #stat = new MessageWriter();
  #buffer = Buffer.allocUnsafeSlow(1 << 16);
  #used = 0;

  /** @returns bytes of all that are collected */
  add(stat: Stat): number {
    writeStat(this.#stat.clear(), stat);
    const { length } = this.#stat;
    const packet = 1 + varintLength(length) + length;
    this.#makeRoom(PREFIX + packet);
    writePrefix(this.#buffer, this.#used, packet);
    const at = this.#used + PREFIX;
    this.#buffer[at] = STAT_TAG;
    this.#used = this.#stat.copyTo(this.#buffer, writeVarint(this.#buffer, at + 1, length));
    return this.#used;
  }

  /** All that are collected, to begin anew; valid until the next is added. */
  take(): Buffer {
    const packets = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    return packets;
  }

  #makeRoom(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#used + bytes));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }
}

const TYPE_TAG = PACKET_FIELD.type << 3;
const STAT_TAG = (PACKET_FIELD.stat << 3) | 2;
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

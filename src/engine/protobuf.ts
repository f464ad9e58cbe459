/**
 * Protocol Buffers as far as they are used here: fields of numbers, of bytes and of messages.
 * Source: https://protobuf.dev/programming-guides/encoding/
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Bytes of the longest varint: 64 bits by seven. */
const LONGEST_VARINT = 10;

export interface Field {
  readonly number: number;
  /** A number where it is one on the wire: exact up to 2^53. */
  readonly value: number | Buffer;
}

/** The fields of a message, views of it, as they come. @throws Error where it is none */
export function* fieldsOf(message: Buffer): Generator<Field, void, undefined> {
  const reader = new Reader(message);
  while (!reader.atEnd) {
    const tag = reader.varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case VARINT:
        yield { number, value: reader.varint() };
        break;
      case BYTES:
        yield { number, value: reader.bytes(reader.varint()) };
        break;
      // Nothing that is read here has any; they are passed over.
      case FIXED64:
        reader.bytes(8);
        break;
      case FIXED32:
        reader.bytes(4);
        break;
      default:
        throw new Error(`a field of unknown wire type ${tag % 8}`);
    }
  }
}

/** The bytes of a field that comes at most once; none where it is absent, as proto3 has it. */
export function bytesOf(message: Buffer, wanted: number): Buffer {
  let found: Buffer = NONE;
  for (const { number, value } of fieldsOf(message)) {
    if (number === wanted && typeof value !== 'number') found = value;
  }
  return found;
}

const NONE = Buffer.alloc(0);

class Reader {
  readonly #message: Buffer;
  #at = 0;

  constructor(message: Buffer) {
    this.#message = message;
  }

  get atEnd(): boolean {
    return this.#at === this.#message.length;
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < LONGEST_VARINT; i++) {
      const byte = this.#message[this.#at++];
      if (byte === undefined) throw cutOff();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new Error('a number without an end');
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#message.length) throw cutOff();
    const bytes = this.#message.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

function cutOff(): Error {
  return new Error('a message is cut off');
}

/** Puts a message together in memory that is used again and again. Numbers that are 0 are left out, as proto3 has it. */
export class MessageWriter {
  #buffer = Buffer.allocUnsafeSlow(256);
  #length = 0;

  /** What was written since the last `clear`; valid until the next. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Of `bytes`. */
  get length(): number {
    return this.#length;
  }

  /** Write `bytes` elsewhere. @returns where they end */
  copyTo(target: Buffer, at: number): number {
    // Most are short: a call for them costs more.
    for (let i = 0; i < this.#length; i++) target[at + i] = this.#buffer[i] ?? 0;
    return at + this.#length;
  }

  clear(): this {
    this.#length = 0;
    return this;
  }

  /** @param value whole and not negative */
  number(field: number, value: number): this {
    if (value === 0) return this;
    this.#room(2 * LONGEST_VARINT);
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
    return this;
  }

  /** An `int64`; negative ones are two's complements. */
  int64(field: number, value: bigint): this {
    if (value === 0n) return this;
    this.#room(2 * LONGEST_VARINT);
    this.#varint(field * 8 + VARINT);
    // Halves of 32 bits: a bigint for each byte takes ten times as long.
    let low = Number(BigInt.asUintN(32, value));
    let high = Number(BigInt.asUintN(32, value >> 32n));
    while (high > 0 || low > 0x7f) {
      this.#buffer[this.#length++] = (low & 0x7f) | 0x80;
      low = (low >>> 7) + (high & 0x7f) * 2 ** 25;
      high >>>= 7;
    }
    this.#buffer[this.#length++] = low;
    return this;
  }

  /**
   * Written also where it is empty: Go tells that from what is absent.
   * @param value text is latin1: one character a byte
   */
  data(field: number, value: Buffer | string): this {
    this.#room(2 * LONGEST_VARINT + value.length);
    this.#varint(field * 8 + BYTES);
    this.#varint(value.length);
    if (typeof value === 'string') this.#buffer.write(value, this.#length, 'latin1');
    else value.copy(this.#buffer, this.#length);
    this.#length += value.length;
    return this;
  }

  #varint(value: number): void {
    this.#length = writeVarint(this.#buffer, this.#length, value);
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** @param value whole and not negative. @returns where it ends */
export function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 0x80;
  target[at++] = rest;
  return at;
}

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length += 1;
  return length;
}

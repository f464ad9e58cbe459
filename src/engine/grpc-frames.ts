/**
 * The messages of a gRPC call as they lie in its HTTP/2 stream: each after five bytes, a flag and its length.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md (Length-Prefixed-Message)
 */
import { NonsenseError, STATUS } from './grpc-status.js';

export const PREFIX = 5;
/** gRPC's own default; of what comes in a build session nothing is near it. */
const LARGEST = 4 << 20;

/** Write the prefix of a message of so many bytes. */
export function writePrefix(target: Buffer, at: number, length: number): void {
  target[at] = 0;
  target.writeUInt32BE(length, at + 1);
}

export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX + message.length);
  writePrefix(framed, 0, message.length);
  message.copy(framed, PREFIX);
  return framed;
}

/** Fed with the bytes of a stream in pieces of any size, gives its messages. */
export class Deframer {
  #pending: Buffer[] = [];
  #size = 0;

  /** @throws GrpcError for a compressed message, which nobody was offered to send, and for one that is too large */
  *feed(piece: Buffer): Generator<Buffer, void, undefined> {
    this.#pending.push(piece);
    this.#size += piece.length;
    // What a long message is made of is put together once, when it is all there.
    if (this.#size < this.#needed()) return;
    let bytes = Buffer.concat(this.#pending, this.#size);
    for (let length = lengthOf(bytes); length <= bytes.length; length = lengthOf(bytes)) {
      yield bytes.subarray(PREFIX, length);
      bytes = bytes.subarray(length);
    }
    this.#pending = [bytes];
    this.#size = bytes.length;
  }

  /** @throws NonsenseError where the stream has ended within a message */
  end(): void {
    if (this.#size > 0) throw new NonsenseError(STATUS.internal, 'a message is cut off');
  }

  #needed(): number {
    const [first = NONE] = this.#pending;
    return first.length < PREFIX ? PREFIX : lengthOf(first);
  }
}

const NONE = Buffer.alloc(0);

/** Of the message and its prefix; of a prefix that is not yet whole, too. */
function lengthOf(bytes: Buffer): number {
  if (bytes.length < PREFIX) return PREFIX;
  if (bytes[0] !== 0)
    throw new NonsenseError(STATUS.unimplemented, 'compressed messages are not understood here');
  const length = bytes.readUInt32BE(1);
  if (length > LARGEST)
    throw new NonsenseError(STATUS.resourceExhausted, `a message of ${length} bytes is too large`);
  return PREFIX + length;
}

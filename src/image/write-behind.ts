/** Appends to a file in large pieces that are written while the next ones fill: a write for every chunk costs more than its bytes. */
import type { FileHandle } from 'node:fs/promises';

const PIECE = 1 << 19;
/** Full pieces that may wait for the write before. More of them fall out of the processor's cache before they are written. */
const WAITING = 1;

interface Piece {
  readonly buffer: Buffer;
  used: number;
}

export class WriteBehind {
  readonly #file: FileHandle;
  readonly #spare: Buffer[] = [];
  /** The last one is being filled. */
  #pieces: Piece[] = [];
  /** Where in the file the first of them goes. */
  #start = 0;
  #position = 0;
  /** Settled with an error it stays: whoever appends or flushes next is told. */
  #writing: Promise<void> | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#position;
  }

  /** The bytes are copied before it settles. @throws what an earlier write failed with, too */
  async append(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const piece = await this.#filling();
      const copied = bytes.copy(piece.buffer, piece.used, done);
      piece.used += copied;
      this.#position += copied;
      done += copied;
    }
  }

  /** Go back to `position`. What was appended from there on may or may not be in the file. */
  async rewind(position: number): Promise<void> {
    await this.flush();
    this.#start = position;
    this.#position = position;
  }

  /** After it all that was appended is in the file. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined || this.#pieces.length > 0) {
      this.#writing ??= this.#write(this.#pieces.splice(0));
      await this.#writing;
    }
  }

  /** Wait for what is under way, however it ends: the file may be closed then. */
  async settle(): Promise<void> {
    await this.#writing?.catch(() => undefined);
  }

  async #filling(): Promise<Piece> {
    let last = this.#pieces.at(-1);
    if (last !== undefined && last.used < PIECE) return last;
    if (this.#pieces.length > WAITING) await this.#writing;
    // One write at a time: several would wait for each other in the kernel, and not idly.
    if (last !== undefined && this.#writing === undefined) {
      this.#writing = this.#write(this.#pieces.splice(0));
      this.#writing.catch(() => undefined);
    }
    last = { buffer: this.#spare.pop() ?? Buffer.allocUnsafeSlow(PIECE), used: 0 };
    this.#pieces.push(last);
    return last;
  }

  async #write(pieces: readonly Piece[]): Promise<void> {
    let rest = pieces.map(({ buffer, used }) => buffer.subarray(0, used));
    while (rest.length > 0) {
      const { bytesWritten } = await this.#file.writev(rest, this.#start);
      this.#start += bytesWritten;
      rest = behind(rest, bytesWritten);
    }
    this.#spare.push(...pieces.map(({ buffer }) => buffer));
    this.#writing = undefined;
  }
}

/** What is left of the buffers after so many bytes. */
function behind(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  return buffers.flatMap((buffer) => {
    const skipped = Math.min(skip, buffer.length);
    skip -= skipped;
    return skipped === buffer.length ? [] : [buffer.subarray(skipped)];
  });
}

/** Appends to a file in large pieces that are written while the next ones fill: a write for every chunk costs more than its bytes. */
import type { FileHandle } from 'node:fs/promises';

const PIECE = 1 << 20;
/** Pieces that may wait for their writes: where processors are busy, each of them takes its time to begin. */
const AHEAD = 4;

export class WriteBehind {
  readonly #file: FileHandle;
  /** Pieces that are not in use. */
  readonly #spare: Buffer[] = [];
  #filling: Buffer | undefined;
  /** Where in the file the piece that fills begins, and how much of it is filled. */
  #start = 0;
  #used = 0;
  /** Oldest first. */
  readonly #writes: Promise<void>[] = [];

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#start + this.#used;
  }

  /** The bytes are copied before it settles. @throws what an earlier write failed with, too */
  async append(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      if (this.#used === PIECE) await this.#write();
      this.#filling ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(PIECE);
      const copied = bytes.copy(this.#filling, this.#used, done);
      this.#used += copied;
      done += copied;
    }
  }

  /** Go back to `position`. What was appended from there on may or may not be in the file. */
  async rewind(position: number): Promise<void> {
    if (position < this.#start) {
      // A write that is under way must not overtake those to come.
      await Promise.all(this.#writes.splice(0));
      this.#start = position;
    }
    this.#used = position - this.#start;
  }

  /** After it all that was appended is in the file. */
  async flush(): Promise<void> {
    if (this.#used > 0) await this.#write();
    await Promise.all(this.#writes.splice(0));
  }

  /** Wait for what is under way, however it ends: the file may be closed then. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#writes.splice(0));
  }

  async #write(): Promise<void> {
    if (this.#writes.length === AHEAD) await this.#writes.shift();
    const [piece, used, start] = [this.#filling, this.#used, this.#start];
    if (piece === undefined) return;
    this.#filling = undefined;
    this.#start += used;
    this.#used = 0;
    const written = writeAll(this.#file, piece.subarray(0, used), start).then(() => {
      this.#spare.push(piece);
    });
    // Told to whoever appends or flushes later.
    written.catch(() => undefined);
    this.#writes.push(written);
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

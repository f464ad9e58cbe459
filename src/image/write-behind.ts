/** Appends to a file in large pieces, each written while the next one fills: a write for every chunk costs more than its bytes. */
import type { FileHandle } from 'node:fs/promises';

const PIECE = 1 << 20;

export class WriteBehind {
  readonly #file: FileHandle;
  #filling: Buffer | undefined;
  #spare: Buffer | undefined;
  /** Where in the file the piece that fills begins, and how much of it is filled. */
  #start = 0;
  #used = 0;
  #writing: Promise<void> = Promise.resolve();

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
      this.#filling ??= Buffer.allocUnsafeSlow(PIECE);
      const copied = bytes.copy(this.#filling, this.#used, done);
      this.#used += copied;
      done += copied;
    }
  }

  /** Go back to `position`. What was appended from there on may or may not be in the file. */
  async rewind(position: number): Promise<void> {
    if (position < this.#start) {
      // A write that is under way must not overtake those to come.
      await this.#writing;
      this.#start = position;
    }
    this.#used = position - this.#start;
  }

  /** After it all that was appended is in the file. */
  async flush(): Promise<void> {
    if (this.#used > 0) await this.#write();
    await this.#writing;
  }

  /** Wait for what is under way, however it ends: the file may be closed then. */
  async settle(): Promise<void> {
    await this.#writing.catch(() => undefined);
  }

  async #write(): Promise<void> {
    await this.#writing;
    const [piece, used, start] = [this.#filling, this.#used, this.#start];
    if (piece === undefined) return;
    [this.#filling, this.#spare] = [this.#spare, piece];
    this.#start += used;
    this.#used = 0;
    this.#writing = writeAll(this.#file, piece.subarray(0, used), start);
    // Told to whoever appends or flushes next.
    this.#writing.catch(() => undefined);
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

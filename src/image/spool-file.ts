/** A temporary file without a name, which nobody else can open and which is gone with its last user. */
import { tmpdir } from 'node:os';
import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { openUnlinked } from '../tar/unlinked-file.js';
import { ImageError } from './errors.js';

/** Layers hold secrets that cleanup removed, so it has no name. */
export class SpoolFile implements AsyncDisposable {
  readonly #file: FileHandle;
  #position = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @param folder where it takes its room; default: TMPDIR */
  static async open(folder?: string): Promise<SpoolFile> {
    return new SpoolFile(await openUnlinked(folder));
  }

  /** For what a stream brings: where there is no room for a file, the stream is destroyed. */
  static async openFor(stream: Readable): Promise<SpoolFile> {
    try {
      return await SpoolFile.open();
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#position;
  }

  /** Go on at `position`: what was written from there on is given up. */
  rewind(position: number): void {
    this.#position = position;
  }

  /** `bytes` must stay as they are until the promise settles. */
  async append(bytes: Buffer): Promise<void> {
    const at = this.#position;
    this.#position += bytes.length;
    let done = 0;
    try {
      while (done < bytes.length) {
        done += (await this.#file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
      }
    } catch (error) {
      throw noRoom(error);
    }
  }

  /** Fill all of `target` from `position` on. */
  async read(target: Buffer, position: number): Promise<void> {
    let done = 0;
    while (done < target.length) {
      const { bytesRead } = await this.#file.read(target, done, target.length - done, position + done);
      if (bytesRead === 0) throw new Error('The spool file is shorter than what was written');
      done += bytesRead;
    }
  }

  /** The same at once: for pieces so small that a trip to another thread costs more than the read. */
  readNow(target: Buffer, position: number): void {
    let done = 0;
    while (done < target.length) {
      const count = readSync(this.#file.fd, target, done, target.length - done, position + done);
      if (count === 0) throw new Error('The spool file is shorter than what was written');
      done += count;
    }
  }

  /** Give back the room of what was given up. */
  async trim(): Promise<void> {
    await this.#file.truncate(this.#position);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function noRoom(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new ImageError('no-room', `There is no room left in ${tmpdir()} for the layers of the image`, {
    cause: error,
    hint: 'Free some, or set TMPDIR to a folder with as much room as the image has above its base.',
  });
}

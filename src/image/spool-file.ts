/** A temporary file without a name, which nobody else can open and which is gone with its last user. */
import { tmpdir } from 'node:os';
import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { openUnlinked } from '../tar/unlinked-file.js';
import { BLOCK } from '../tar/raw-header.js';
import { ImageError } from './errors.js';
import { WriteBehind } from './write-behind.js';

/** Layers hold secrets that cleanup removed, so it has no name. */
export class SpoolFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #end: WriteBehind;

  private constructor(file: FileHandle) {
    this.#file = file;
    this.#end = new WriteBehind(file);
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

  /** For a stream that is on its way: the file is opened meanwhile. */
  static async openBeside(
    coming: Promise<Readable>,
  ): Promise<{ readonly spool: SpoolFile; readonly stream: Readable }> {
    const [opened, came] = await Promise.allSettled([SpoolFile.open(), coming]);
    if (opened.status === 'rejected') {
      if (came.status === 'fulfilled') came.value.destroy();
      throw opened.reason;
    }
    if (came.status === 'fulfilled') return { spool: opened.value, stream: came.value };
    await opened.value[Symbol.asyncDispose]();
    throw came.reason;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#end.position;
  }

  /** Go on at a whole block: an entry's place can be told by its block then. @returns the place */
  async align(): Promise<number> {
    const over = this.position % BLOCK;
    if (over > 0) await this.append(Buffer.alloc(BLOCK - over));
    return this.position;
  }

  /** Go on at `position`, which was appended to before: what came from there on is given up. */
  async rewind(position: number): Promise<void> {
    await withRoom(this.#end.rewind(position));
  }

  /** What was appended can be read after the next flush only; a failure may be told by a later call. @throws ImageError */
  async append(bytes: Buffer): Promise<void> {
    await withRoom(this.#end.append(bytes));
  }

  async flush(): Promise<void> {
    await withRoom(this.#end.flush());
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
    await this.flush();
    await this.#file.truncate(this.position);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end.settle();
    await this.#file.close();
  }
}

async function withRoom(writing: Promise<void>): Promise<void> {
  try {
    await writing;
  } catch (error) {
    throw noRoom(error);
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

/** Reads a file of the context folder: exactly the bytes that its entry promises, or an error that names it. */
import { closeSync, constants, openSync, read, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { ContextEntry } from './context.js';
import { ContextError } from './errors.js';
import { locationOf, shown } from './paths.js';

const CHUNK = 1 << 20;
/** Not through a symlink that took the file's place, not waiting for a writer of a fifo that did. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const LEAVE_OUT = 'leave it out with a line in .dockerignore';

/** Chunks of up to 1 MiB. Fails with a ContextError when the file changed, vanished, or cannot be read. */
export function openLocal(directory: string, entry: ContextEntry, signal: AbortSignal): Readable {
  return Readable.from(pieces(directory, entry, signal), { objectMode: false });
}

async function* pieces(directory: string, entry: ContextEntry, signal: AbortSignal): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  using file = new LocalFile(directory, entry);
  while (!file.atEnd) {
    signal.throwIfAborted();
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, file.left + 1));
    const length = await file.read(buffer);
    if (length > 0) yield length === buffer.length ? buffer : buffer.subarray(0, length);
  }
}

/**
 * A file that is being read into the caller's memory. Its owner disposes it.
 * @throws ContextError, as all that reads, when it changed, vanished, or cannot be read
 */
export class LocalFile implements Disposable {
  readonly #path: string;
  readonly #file: number;
  #left: number;
  #atEnd = false;

  constructor(directory: string, { path, size }: ContextEntry) {
    this.#path = path;
    this.#left = size;
    try {
      this.#file = openSync(locationOf(directory, path), FLAGS);
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  /** Bytes that are still to come. A buffer of one more shows a file that grew with the same read. */
  get left(): number {
    return this.#left;
  }

  /** Whether all was read, and the file was seen to end there. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /** The next bytes, at once: for small files, where waiting takes longer than reading. @returns how many */
  readNow(buffer: Buffer): number {
    let bytesRead: number;
    try {
      bytesRead = readSync(this.#file, buffer, 0, this.#wanted(buffer), null);
    } catch (error) {
      throw unreadable(this.#path, error);
    }
    return this.#count(bytesRead, buffer);
  }

  /** The next bytes. @returns how many */
  read(buffer: Buffer): Promise<number> {
    return new Promise<number>((resolve, reject) => {
      read(this.#file, buffer, 0, this.#wanted(buffer), null, (error, bytesRead) => {
        if (error === null) resolve(bytesRead);
        else reject(unreadable(this.#path, error));
      });
    }).then((bytesRead) => this.#count(bytesRead, buffer));
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #wanted(buffer: Buffer): number {
    return Math.min(buffer.length, this.#left + 1);
  }

  #count(bytesRead: number, buffer: Buffer): number {
    if (bytesRead > this.#left || (bytesRead === 0 && this.#left > 0)) throw changed(this.#path);
    this.#left -= bytesRead;
    // A read that came short of the byte too many has seen the end.
    this.#atEnd = this.#left === 0 && bytesRead < buffer.length;
    return bytesRead;
  }
}

/** What an error of the file system means for the context. */
export function unreadable(path: string, error: unknown): ContextError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
      return changed(path, error);
    case 'EACCES':
    case 'EPERM':
      return new ContextError(`Cannot read ${shown(path)} of the context: permission denied`, {
        hint: `Make it readable, or ${LEAVE_OUT}.`,
        cause: error,
      });
    default:
      return new ContextError(`Cannot read ${shown(path)} of the context: ${code}`, {
        hint: `Repair it, or ${LEAVE_OUT}.`,
        cause: error,
      });
  }
}

function changed(path: string, cause?: unknown): ContextError {
  return new ContextError(`${shown(path)} of the context changed while it was being read`, {
    hint: `Build again when nothing writes to it, or ${LEAVE_OUT}.`,
    cause,
  });
}

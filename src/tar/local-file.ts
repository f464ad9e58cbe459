/** Reads a file of the context folder: exactly the bytes that its entry promises, or an error that names it. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ContextEntry } from './context.js';
import { ContextError } from './errors.js';
import { locate, shown } from './paths.js';

const CHUNK = 1 << 20;
/** Not through a symlink that took the file's place, not waiting for a writer of a fifo that did. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const LEAVE_OUT = 'leave it out with a line in .dockerignore';

/** Chunks of up to 1 MiB. Fails with a ContextError when the file changed, vanished, or cannot be read. */
export function openLocal(directory: string, entry: ContextEntry, signal: AbortSignal): Readable {
  return Readable.from(read(directory, entry, signal), { objectMode: false });
}

async function* read(directory: string, entry: ContextEntry, signal: AbortSignal): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  const file = await open(locate(directory, entry.path), FLAGS).catch((error: unknown) => {
    throw unreadable(entry.path, error);
  });
  try {
    let left = entry.size;
    for (;;) {
      signal.throwIfAborted();
      // One byte more than is left shows a file that grew.
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, left + 1));
      const { bytesRead } = await file.read(buffer, 0, buffer.length).catch((error: unknown) => {
        throw unreadable(entry.path, error);
      });
      if (bytesRead > left || (bytesRead === 0 && left > 0)) throw changed(entry.path);
      left -= bytesRead;
      if (bytesRead > 0) yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
      // A read that came short of the byte too many has seen the end.
      if (left === 0 && bytesRead < buffer.length) return;
    }
  } finally {
    await file.close();
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

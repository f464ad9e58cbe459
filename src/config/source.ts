/** Files of the user as text with places: read with a size limit, decoded, lines counted. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';
import type { Diagnostic, Place } from './diagnostic.js';

/** No build file or Dockerfile comes near this; it bounds memory when the path is wrong. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

export type ReadOutcome =
  | { readonly kind: 'read'; readonly content: Buffer }
  | { readonly kind: 'missing' }
  /** A phrase that follows the file's name, e.g. `is a folder`. */
  | { readonly kind: 'unusable'; readonly why: string };

/**
 * Read a whole regular file of at most {@link MAX_FILE_BYTES}; never throws for what the file system says. Synchronous:
 * for small files that is several times faster than the thread pool, and a plan reads three paths a step.
 */
export function readSmallFile(path: string): ReadOutcome {
  try {
    // Before it is opened, because opening alone can make a device act.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return { kind: 'missing' };
    return unusable(stats) ?? readOpened(path);
  } catch (error) {
    return explain(error);
  }
}

/** Thousands of buffers of their own would keep the garbage collector busy. */
const SCRATCH = Buffer.allocUnsafeSlow(1 << 16);

/** What is opened may be another file than was looked at: a named pipe by now, which must not be waited for. */
function readOpened(path: string): ReadOutcome {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    const refused = unusable(stats);
    if (refused !== undefined) return refused;
    // Sizes may be wrong, as those in /proc are: it is the bytes that are counted.
    const pieces: Buffer[] = [];
    for (let length = 0; length <= MAX_FILE_BYTES;) {
      const read = readSync(file, SCRATCH);
      if (read === 0) return { kind: 'read', content: Buffer.concat(pieces) };
      const piece = Buffer.from(SCRATCH.subarray(0, read));
      if (length === 0 && read === stats.size && read < SCRATCH.length)
        return { kind: 'read', content: piece };
      pieces.push(piece);
      length += read;
    }
    return TOO_LARGE;
  } finally {
    closeSync(file);
  }
}

function unusable(stats: Stats): ReadOutcome | undefined {
  if (stats.isDirectory()) return { kind: 'unusable', why: 'is a folder' };
  if (!stats.isFile()) return { kind: 'unusable', why: 'is not a regular file' };
  return stats.size > MAX_FILE_BYTES ? TOO_LARGE : undefined;
}

const TOO_LARGE: ReadOutcome = {
  kind: 'unusable',
  why: `is larger than ${String(MAX_FILE_BYTES / 1024 / 1024)} MiB`,
};

function explain(error: unknown): ReadOutcome {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ERR_INVALID_ARG_VALUE':
      return { kind: 'missing' };
    case 'EACCES':
    case 'EPERM':
      return { kind: 'unusable', why: 'may not be read by this user' };
    case 'ELOOP':
      return { kind: 'unusable', why: 'is a symbolic link that leads to itself' };
    default:
      return {
        kind: 'unusable',
        why: `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      };
  }
}

/** `[start, end)` in code units of a text. */
export type Range = readonly [start: number, end: number];

/** A decoded file that can say where an offset lies. */
export class SourceText {
  readonly #lineStarts: number[] = [0];

  constructor(
    /** Absolute path. */
    readonly file: string,
    readonly text: string,
  ) {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1))
      this.#lineStarts.push(at + 1);
  }

  /** The place of a range; of a range over several lines, its part on the first. */
  place([start, end]: Range): Place {
    const at = Math.max(0, Math.min(start, this.text.length));
    let low = 0;
    for (let high = this.#lineStarts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= at) low = middle;
      else high = middle;
    }
    const lineStart = this.#lineStarts[low] ?? 0;
    const text = this.#line(low);
    const length = Math.max(1, Math.min(end, lineStart + text.length) - at);
    return { line: low + 1, column: at - lineStart + 1, length, text };
  }

  /** The place of a line and column, both from 1, as other parsers give them. */
  placeAt(line: number, column: number): Place {
    const index = Math.max(1, Math.min(line, this.#lineStarts.length));
    const text = this.#line(index - 1);
    const from = Math.max(1, Math.min(column, text.length + 1));
    return { line: index, column: from, length: Math.max(1, text.trimEnd().length - from + 1), text };
  }

  error(message: string, range: Range, hint?: string): Diagnostic {
    const place = this.place(range);
    return { severity: 'error', message, file: this.file, place, ...(hint !== undefined && { hint }) };
  }

  /** By its number from 0, without its line break; found without a search, for a line may be megabytes long. */
  #line(index: number): string {
    const start = this.#lineStarts[index] ?? 0;
    const next = this.#lineStarts[index + 1];
    const end = next === undefined ? this.text.length : next - 1;
    return this.text.slice(start, end > start && this.text[end - 1] === '\r' ? end - 1 : end);
  }
}

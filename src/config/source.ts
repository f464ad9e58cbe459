/** Files of the user as text with places: read with a size limit, decoded, lines counted. */
import { readFileSync, statSync } from 'node:fs';
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
    // Before the file is opened, because opening a named pipe would wait for a writer.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return { kind: 'missing' };
    if (stats.isDirectory()) return { kind: 'unusable', why: 'is a folder' };
    if (!stats.isFile()) return { kind: 'unusable', why: 'is not a regular file' };
    if (stats.size > MAX_FILE_BYTES) return TOO_LARGE;
    return { kind: 'read', content: readFileSync(path) };
  } catch (error) {
    return explain(error);
  }
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
    const text = this.lineFrom(lineStart);
    const length = Math.max(1, Math.min(end, lineStart + text.length) - at);
    return { line: low + 1, column: at - lineStart + 1, length, text };
  }

  /** The place of a line and column, both from 1, as other parsers give them. */
  placeAt(line: number, column: number): Place {
    const index = Math.max(1, Math.min(line, this.#lineStarts.length));
    const text = this.lineFrom(this.#lineStarts[index - 1] ?? 0);
    const from = Math.max(1, Math.min(column, text.length + 1));
    return { line: index, column: from, length: Math.max(1, text.trimEnd().length - from + 1), text };
  }

  error(message: string, range: Range, hint?: string): Diagnostic {
    const place = this.place(range);
    return { severity: 'error', message, file: this.file, place, ...(hint !== undefined && { hint }) };
  }

  private lineFrom(start: number): string {
    const end = this.text.indexOf('\n', start);
    return this.text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '');
  }
}

/** What is wrong with the user's files: plain data with a place, and the one error that carries it to the command line. */
import { basename } from 'node:path';
import { UsageError } from '../core/errors.js';

/** A stretch of one line of a file. Lines and columns count from 1; columns in UTF-16 code units, as editors do. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** Code units to underline, at least 1; never beyond the end of the line. */
  readonly length: number;
  /** The whole line, without its line break; secrets in it are masked. */
  readonly text: string;
  /** Where to underline in `text`, from 1, if a mask before it has moved that from `column`. */
  readonly mark?: number;
}

export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** One sentence without a final period. May quote the file, control characters included. */
  readonly message: string;
  /** Absolute path. */
  readonly file: string;
  /** Absent when the file as a whole is meant, e.g. because it does not exist. */
  readonly place?: Place;
  /** What to do next. */
  readonly hint?: string;
}

/** The build file, or a Dockerfile that it names, is wrong: every problem found, in the order of the file. */
export class ConfigError extends UsageError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly [Diagnostic, ...Diagnostic[]]) {
    const [first, ...others] = diagnostics;
    const more = others.length === 0 ? '' : ` (and ${String(others.length)} more)`;
    super(`${where(first)}: ${first.message}${more}`, first.hint === undefined ? {} : { hint: first.hint });
    this.diagnostics = diagnostics;
  }
}

/** Collects problems while the files are read; the same problem at the same place counts once. */
export class Problems {
  readonly #found = new Map<string, Diagnostic>();

  add(diagnostic: Diagnostic): void {
    const { file, place, message } = diagnostic;
    const key = JSON.stringify([file, place?.line, place?.column, message]);
    if (!this.#found.has(key)) this.#found.set(key, diagnostic);
  }

  get hasErrors(): boolean {
    return [...this.#found.values()].some((found) => found.severity === 'error');
  }

  /** In the order in which they were found. */
  all(): readonly Diagnostic[] {
    return [...this.#found.values()];
  }

  warnings(): readonly Diagnostic[] {
    return [...this.#found.values()].filter((found) => found.severity === 'warning');
  }

  /** @throws {ConfigError} with all errors, those of `mainFile` first, each file's by place */
  throwErrors(mainFile: string): void {
    const errors = [...this.#found.values()].filter((found) => found.severity === 'error');
    const rank = (found: Diagnostic): string => (found.file === mainFile ? '' : found.file);
    errors.sort((a, b) => compare(rank(a), rank(b)) || byPlace(a.place, b.place));
    const [first, ...others] = errors;
    if (first !== undefined) throw new ConfigError([first, ...others]);
  }
}

function where({ file, place }: Diagnostic): string {
  return place === undefined
    ? basename(file)
    : `${basename(file)}:${String(place.line)}:${String(place.column)}`;
}

function byPlace(a: Place | undefined, b: Place | undefined): number {
  return (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

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

/** Of each severity. Nobody reads more, and a hostile file could have millions. */
const MOST = 200;

/** Collects problems while the files are read; the same problem at the same place counts once. */
export class Problems {
  readonly #errors = new Map<string, Diagnostic>();
  readonly #warnings = new Map<string, Diagnostic>();
  /** Errors that are not kept; one that was told twice may count twice here. */
  #moreErrors = 0;

  add(diagnostic: Diagnostic): void {
    const { file, place, message, severity } = diagnostic;
    const found = severity === 'error' ? this.#errors : this.#warnings;
    const key = JSON.stringify([file, place?.line, place?.column, message]);
    if (found.has(key)) return;
    if (found.size < MOST) found.set(key, diagnostic);
    else if (severity === 'error') this.#moreErrors += 1;
  }

  get hasErrors(): boolean {
    return this.#errors.size > 0;
  }

  /** In the order in which they were found, errors first. */
  all(): readonly Diagnostic[] {
    return [...this.#errors.values(), ...this.#warnings.values()];
  }

  warnings(): readonly Diagnostic[] {
    return [...this.#warnings.values()];
  }

  /** @throws {ConfigError} with all errors, those of `mainFile` first, each file's by place */
  throwErrors(mainFile: string): void {
    const errors = [...this.#errors.values()];
    const rank = (found: Diagnostic): string => (found.file === mainFile ? '' : found.file);
    errors.sort((a, b) => compare(rank(a), rank(b)) || byPlace(a.place, b.place));
    const [first, ...others] = errors;
    if (first === undefined) return;
    const more = this.#moreErrors === 0 ? [] : [untold(mainFile, this.#moreErrors)];
    throw new ConfigError([first, ...others, ...more]);
  }
}

function untold(file: string, count: number): Diagnostic {
  const message = `${String(count)} more problems are not shown`;
  return { severity: 'error', message, file, hint: 'solve those above first' };
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

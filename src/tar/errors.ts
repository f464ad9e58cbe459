/** The errors of this room; the rooms above turn them into the errors that users see. */

export interface TarErrorDetails {
  /** What to do next, a sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A file, a folder or an archive cannot be used as a context or an artifact: a sentence without a final period. */
export class ContextError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, details: TarErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ContextError';
    this.hint = details.hint;
  }
}

/** Bytes that are not a tar archive, or not one that this program can carry without loss. */
export class TarError extends Error {
  /** Where in the archive, in bytes from its beginning. */
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`Bad tar archive at byte ${offset}: ${problem}`);
    this.name = 'TarError';
    this.offset = offset;
  }
}

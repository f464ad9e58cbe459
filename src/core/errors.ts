/** The errors that users read: what happened, where, what to do next; and the exit status each kind means. */
import type { Failure } from './events.js';

/** Exit statuses of the program; documented in docs/command-line.md. */
export const EXIT = {
  ok: 0,
  /** A step failed, time was up, an image is not sound, or a command on an image did not come to its end. */
  buildFailed: 1,
  /** The command line or a file of the user is wrong; nothing was built. */
  usage: 2,
  /** No engine answers, or the engine itself fails. */
  engine: 3,
  /** A bug in this program. */
  internal: 70,
  sighup: 129,
  sigint: 130,
  sigterm: 143,
} as const;

export interface ErrorDetails {
  /** What to do next, a sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

abstract class ReportedError extends Error {
  readonly hint: string | undefined;
  abstract readonly exitCode: number;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.hint = details.hint;
  }
}

export { ReportedError as HabitusError };

/** The command line or a file of the user is wrong. */
export class UsageError extends ReportedError {
  readonly exitCode = EXIT.usage;
}

/** The engine cannot be reached, refused a call, or answered nonsense. */
export class EngineError extends ReportedError {
  readonly exitCode = EXIT.engine;
  /** HTTP status of the engine's answer, if there was one. */
  readonly status: number | undefined;

  constructor(message: string, details: ErrorDetails & { readonly status?: number } = {}) {
    super(message, details);
    this.status = details.status;
  }
}

/** A step did not succeed: its build, a cleanup command, an artifact or its command. */
export class StepError extends ReportedError {
  readonly exitCode = EXIT.buildFailed;
  readonly failure: Failure;

  constructor(failure: Failure, cause?: unknown) {
    super(failure.message, {
      ...(failure.hint !== undefined && { hint: failure.hint }),
      ...(cause !== undefined && { cause }),
    });
    this.failure = failure;
  }
}

/** The build took longer than its timeout: nothing is at fault but the time. */
export class TimeoutError extends ReportedError {
  readonly exitCode = EXIT.buildFailed;
}

/** A command on one image did not come to its end, though what it was given is right. */
export class ImageCommandError extends ReportedError {
  readonly exitCode = EXIT.buildFailed;
}

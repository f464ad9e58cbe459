/** The one error the lab throws on purpose: what happened, and what to do next. */

export class LabError extends Error {
  override readonly name = 'LabError';

  /** `message` is one sentence without a final period; `hint` says what to do next. */
  constructor(
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The text of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** True for an error of the operating system with one of these codes, such as `ENOENT`. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);

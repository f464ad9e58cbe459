/** One call of the Engine API, and what it allows: how long it may be silent, and whether it may be sent again. */
import type { Readable } from 'node:stream';

/**
 * `quick`: reads or names, so it answers promptly, and may be sent again.
 * `repeatable`: ends in the same state however often it is sent, but may take its time.
 * `once`: may take its time, and what it does twice is done twice.
 */
export type Pace = 'quick' | 'repeatable' | 'once';

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Without version prefix, e.g. `/containers/create`; a query in it stands for parameters that repeat. */
  readonly path: string;
  /** `undefined` values are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: object;
  /** A tar, for a call of pace `once`; destroyed by the caller when the call fails. */
  readonly upload?: Readable;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly signal?: AbortSignal | undefined;
  /** Completes `The engine could not …`. */
  readonly purpose: string;
  /** It is sent again only after this, and not where this fails. */
  readonly after?: Promise<unknown>;
  /** Absent: GET is `quick`, DELETE `repeatable`, POST `once`. */
  readonly pace?: Pace;
}

export function paceOf({ method, pace }: Call): Pace {
  if (pace !== undefined) return pace;
  switch (method) {
    case 'GET':
      return 'quick';
    case 'DELETE':
      return 'repeatable';
    case 'POST':
      return 'once';
  }
}

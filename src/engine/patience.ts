/** How long an engine is waited for; every time in milliseconds. */
export interface Patience {
  /** Until a connection to a socket or a port is up. */
  readonly connect: number;
  /** Of silence, in a call that only reads or names. */
  readonly answer: number;
  /** Between two pings, while any call is in flight. */
  readonly ping: number;
  /** Without an answer to a ping: the engine is given up, with all that is in flight. */
  readonly silence: number;
  /** Before each further try of a call that may be repeated. */
  readonly retries: readonly number[];
}

/** A RUN may be silent for an hour, so what works is never timed: the engine is pinged meanwhile. */
export const PATIENCE: Patience = {
  connect: 10_000,
  answer: 30_000,
  ping: 5_000,
  silence: 20_000,
  retries: [100, 500],
};

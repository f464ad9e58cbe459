/** One call from its first byte to its last: whatever ends it early says why, once. */
import type { Duplex, Readable } from 'node:stream';

export class Flight {
  readonly #cut = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #onEnd: (flight: Flight) => void;
  #answer: Readable | Duplex | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param onEnd called once, when nothing of it is in flight any more */
  constructor(caller: AbortSignal | undefined, onEnd: (flight: Flight) => void) {
    this.#caller = caller;
    this.#onEnd = onEnd;
    caller?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Aborted when the connection shall be cut. */
  get signal(): AbortSignal {
    return this.#cut.signal;
  }

  /** Why it was ended early, or `error` where it was not. */
  reasonOf(error: unknown): unknown {
    return this.#cut.signal.aborted ? this.#cut.signal.reason : error;
  }

  /** It fails with `reason` unless it has ended. */
  fail(reason: unknown): void {
    if (this.#cut.signal.aborted) return;
    // First, so that its reader is told the reason rather than that the connection broke.
    this.#answer?.destroy(reason instanceof Error ? reason : undefined);
    this.#cut.abort(reason);
  }

  /** Fails it after so much silence, unless called again before. */
  limit(ms: number, reason: () => Error): void {
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      // An answer that has come meanwhile is read first.
      setImmediate(() => {
        if (this.#timer === timer) this.fail(reason());
      });
    }, ms).unref();
    this.#timer = timer;
  }

  /** The answer has begun: it ends with this stream. */
  follow(answer: Readable | Duplex): void {
    this.#answer = answer;
    // Whoever reads it hears of it; what is only drained must not end the process.
    answer.on('error', () => undefined);
    if (answer.closed) this.end();
    else
      answer.once('close', () => {
        this.end();
      });
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#caller?.removeEventListener('abort', this.#onAbort);
    this.#onEnd(this);
  }

  readonly #onAbort = (): void => {
    this.fail(this.#caller?.reason);
  };
}

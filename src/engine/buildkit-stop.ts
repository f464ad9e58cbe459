/** Stops a BuildKit build and hears it out: who hangs up does not learn whether an image has got its name after all. */
import { randomBytes } from 'node:crypto';
import type { Transport } from './transport.js';

/** A build that has not begun yet does not hear that it is cancelled. */
const RETRY_MS = 100;
/** BuildKit stops within milliseconds; then the connection is cut. */
const PATIENCE_MS = 800;

export class BuildKitStop implements Disposable {
  /** By which the engine knows the build: `buildid` of `POST /build`. */
  readonly buildId = randomBytes(16).toString('hex');
  readonly #transport: Transport;
  readonly #signal: AbortSignal;
  readonly #cut = new AbortController();
  readonly #over = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(transport: Transport, signal: AbortSignal) {
    this.#transport = transport;
    this.#signal = signal;
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Aborted when the connection shall be cut. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#over.abort();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  readonly #onAbort = (): void => {
    this.#cancel();
    this.#timers.push(
      setInterval(() => {
        this.#cancel();
      }, RETRY_MS),
      setTimeout(() => {
        this.#cut.abort(this.#signal.reason);
      }, PATIENCE_MS),
    );
  };

  #cancel(): void {
    const call = {
      method: 'POST',
      path: '/build/cancel',
      query: { id: this.buildId },
      signal: this.#over.signal,
      purpose: 'cancel a build',
    } as const;
    // Whatever goes wrong here, patience ends.
    this.#transport.json(call).catch(() => undefined);
  }
}

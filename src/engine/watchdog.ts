/** Tells a silent engine from a dead one: pings it while calls are in flight, and fails them all where nothing answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonic } from '../clock.js';
import type { Flight } from './flight.js';
import type { Patience } from './patience.js';

/** A timer that is so late was not late by itself: this process, or the whole machine, was stopped. */
const STOPPED_MS = 2_000;

export class Watchdog {
  readonly #flights = new Set<Flight>();
  readonly #ping: (signal: AbortSignal) => Promise<void>;
  readonly #patience: Patience;
  readonly #lost: () => Error;
  #stop: AbortController | undefined;
  #isGivenUp = false;

  /**
   * @param ping resolves when the engine has answered on a connection of its own
   * @param lost what calls fail with once the engine is given up
   */
  constructor(ping: (signal: AbortSignal) => Promise<void>, patience: Patience, lost: () => Error) {
    this.#ping = ping;
    this.#patience = patience;
    this.#lost = lost;
  }

  /** Before a call: an engine that was given up has to answer a ping first, so that cleaning up fails fast. */
  async admit(): Promise<void> {
    if (!this.#isGivenUp) return;
    try {
      await this.#limitedPing(this.#patience.ping);
      this.#isGivenUp = false;
    } catch {
      throw this.#lost();
    }
  }

  add(flight: Flight): void {
    this.#flights.add(flight);
    if (this.#stop !== undefined) return;
    this.#stop = new AbortController();
    void this.#watch(this.#stop.signal);
  }

  remove(flight: Flight): void {
    this.#flights.delete(flight);
    if (this.#flights.size > 0) return;
    this.#stop?.abort();
    this.#stop = undefined;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { ping, silence } = this.#patience;
    let lastSign = monotonic();
    try {
      for (;;) {
        const asleep = monotonic();
        await sleep(ping, undefined, { signal, ref: false });
        if (monotonic() - asleep > ping + STOPPED_MS) lastSign = monotonic();
        const asked = monotonic();
        const limit = Math.max(0, silence - (asked - lastSign));
        const answered = await this.#limitedPing(limit, signal).then(
          () => true,
          () => false,
        );
        if (signal.aborted) return;
        const now = monotonic();
        if (answered || now - asked > limit + STOPPED_MS) lastSign = now;
        if (now - lastSign >= silence) break;
      }
    } catch {
      // Nothing is in flight any more.
      return;
    }
    this.#isGivenUp = true;
    this.#stop = undefined;
    for (const flight of this.#flights) flight.fail(this.#lost());
  }

  async #limitedPing(ms: number, stop?: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = (): void => {
      over.abort();
    };
    // An answer that has come meanwhile is read first.
    const timer = setTimeout(() => setImmediate(end), ms).unref();
    stop?.addEventListener('abort', end, { once: true });
    try {
      await this.#ping(over.signal);
    } finally {
      clearTimeout(timer);
      stop?.removeEventListener('abort', end);
    }
  }
}

/** A limit of time: a signal that is aborted once the time has passed, unless it is disposed before. */

/** What is longer would make Node's timers fire at once: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class TimeLimit implements Disposable {
  readonly #controller = new AbortController();
  readonly #reason: () => Error;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param ms whole milliseconds from 1, counted from now
   * @param reason of the abort; asked for when the time has passed
   */
  constructor(ms: number, reason: () => Error) {
    this.#reason = reason;
    this.#wait(ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    const now = Math.min(ms, LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => {
      if (ms > now) this.#wait(ms - now);
      else this.#controller.abort(this.#reason());
    }, now);
  }
}

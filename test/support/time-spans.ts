/** Spans of time that pass when a test says so, not after a time that a busy machine may need for something else. */
import { afterAll, beforeAll } from 'vitest';

const HOUR = 3_600_000;

export class TimeSpans {
  readonly #waiting = new Map<number, () => void>();
  #hours = 0;

  /** For the tests of the file; timers of other spans run as ever. */
  constructor() {
    const real = globalThis.setTimeout;
    beforeAll(() => {
      globalThis.setTimeout = new Proxy(real, {
        apply: (target, self, call: Parameters<typeof setTimeout>) => {
          const [callback, ms = 0] = call;
          if (ms > 0 && ms % HOUR === 0) this.#waiting.set(ms, callback);
          return target.apply(self, call);
        },
      });
    });
    afterAll(() => {
      globalThis.setTimeout = real;
    });
  }

  /** One that nobody else has: tests may run at the same time. `text` as a build file writes it; `pass` needs someone who waits. */
  next(): { readonly text: string; readonly ms: number; readonly pass: () => void } {
    this.#hours += 1;
    const ms = this.#hours * HOUR;
    const pass = (): void => {
      const callback = this.#waiting.get(ms);
      if (callback === undefined) throw new Error(`nothing waits for ${ms / HOUR}h`);
      callback();
    };
    return { text: `${this.#hours}h`, ms, pass };
  }
}

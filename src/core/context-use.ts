/** When a context is looked at again: its builder has read it, and has most likely done what takes all processors then. */
import type { InstructionEvent } from './events.js';

/** What can read a context, as builders tell of it: `[stage-0 2/3] COPY . .`. */
const READS = /^(?:\[[^\]]*\]\s+)?(?:COPY|ADD|RUN)\b/i;
/** Milliseconds: what is written to a context meanwhile makes the build be forgotten. */
const SOON = 3_000;

/**
 * To look at a context of many files takes a processor, which the builder needs while it copies them. So we look when the
 * instruction that may have copied them has ended, when all is built, or after a while, whichever comes first.
 */
export class ContextUse implements Disposable {
  readonly #onUsed: () => void;
  #pending: NodeJS.Timeout | undefined;

  /** @param onUsed called once for what was sent meanwhile; not any more after disposal */
  constructor(onUsed: () => void) {
    this.#onUsed = onUsed;
  }

  sent(): void {
    this.#pending ??= setTimeout(() => {
      this.#look();
    }, SOON);
  }

  see({ state, text }: InstructionEvent): void {
    if (state !== 'started' && READS.test(text)) this.#look();
  }

  /** Nothing of it is used any more. */
  built(): void {
    this.#look();
  }

  #look(): void {
    if (this.#pending === undefined) return;
    this[Symbol.dispose]();
    this.#onUsed();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#pending);
    this.#pending = undefined;
  }
}

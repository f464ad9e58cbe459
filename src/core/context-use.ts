/** When a context is looked at again: its builder has read it, and has most likely done what takes all processors then. */
import type { InstructionEvent } from './events.js';

/** What can read a context, as builders tell of it: `[stage-0 2/3] COPY . .`. */
const READS = /^(?:\[[^\]]*\]\s+)?(?:COPY|ADD|RUN)\b/i;
/** Milliseconds: what is written to a context meanwhile makes the build be forgotten. */
const SOON = 3_000;

/**
 * A context of many files is looked at again in the time that it takes a processor to do so, which the builder needs while it copies
 * them, and less when it exports or runs commands.
 */
export class ContextUse implements Disposable {
  readonly #onUsed: () => void;
  #pending: NodeJS.Timeout | undefined;

  /** @param onUsed each time that the context was sent, soon after */
  constructor(onUsed: () => void) {
    this.#onUsed = onUsed;
  }

  sent(): void {
    this.#pending ??= setTimeout(() => {
      this.built();
    }, SOON);
  }

  see({ state, text }: InstructionEvent): void {
    if (state !== 'started' && READS.test(text)) this.built();
  }

  /** Nothing of it is used any more. */
  built(): void {
    if (this.#pending === undefined) return;
    this[Symbol.dispose]();
    this.#onUsed();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#pending);
    this.#pending = undefined;
  }
}

/** Which instruction of a build is at work: an engine that is lost cannot tell any more. */
import type { BuilderEvent } from '../core/ports.js';

export class AtWork {
  /** By ID, the latest last. */
  readonly #started = new Map<string, string>();

  see(event: BuilderEvent): void {
    if (event.type !== 'instruction') return;
    const { id, state, text } = event.instruction;
    this.#started.delete(id);
    // What stands in no bracket, as `exporting to image`, is BuildKit's own.
    if (state === 'started' && /^\[(?!internal\])/.test(text)) this.#started.set(id, text);
  }

  /** As written in the Dockerfile, its first line, e.g. `RUN make`. */
  get instruction(): string | undefined {
    const text = [...this.#started.values()].at(-1);
    return text?.replace(/^\[[^\]]*\]\s+/, '').replace(/\s*\\?\n[\s\S]*$/, ' …');
  }
}

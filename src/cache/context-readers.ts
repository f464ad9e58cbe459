/** Who has still to read a context: once nobody has, it is looked at again, while the engine works with what it was sent. */
import type { ListedFolder } from '../tar/listed.js';
import { keyOf, type Contexts, type PlannedContext } from './contexts.js';

export class ContextReaders implements AsyncDisposable {
  readonly #contexts: Contexts;
  /** By step. */
  readonly #planned: ReadonlyMap<string, PlannedContext>;
  /** By context: the steps whose builders have not read it yet. */
  readonly #waiting = new Map<string, Set<string>>();
  /** Contexts that a builder was given another list of than what was listed first. */
  readonly #listedAnew = new Set<string>();
  readonly #disposal = new AbortController();
  /** Reading contents may take a while. */
  readonly #signal: AbortSignal;

  /**
   * @param planned by step, the contexts of those that are built
   * @param signal the session's
   */
  constructor(contexts: Contexts, planned: ReadonlyMap<string, PlannedContext>, signal: AbortSignal) {
    this.#contexts = contexts;
    this.#signal = AbortSignal.any([signal, this.#disposal.signal]);
    this.#planned = planned;
    for (const [label, context] of planned) {
      const key = keyOf(context);
      this.#waiting.set(key, (this.#waiting.get(key) ?? new Set()).add(label));
    }
    contexts.keepListed(this.#waiting);
  }

  /** See SessionMemory. */
  listed(label: string): ListedFolder | undefined {
    const context = this.#planned.get(label);
    return context && this.#contexts.listed(context);
  }

  /** See SessionMemory.contextSent. */
  sent(label: string, asListed: boolean): void {
    const context = this.#planned.get(label);
    if (context === undefined) return;
    const key = keyOf(context);
    if (!asListed) this.#listedAnew.add(key);
    const waiting = this.#waiting.get(key);
    waiting?.delete(label);
    // Before that, somebody would have to look again.
    if (waiting?.size === 0) this.#contexts.lookAgain(context, !this.#listedAnew.has(key), this.#signal);
  }

  /** Once nothing of the contexts is being read or written any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort();
    await this.#contexts.settled();
  }
}

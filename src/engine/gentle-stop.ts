/** Stops a classic build without losing sight of it: who hangs up does not learn which images it still makes. */
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../core/errors.js';
import type { ClassicOutput } from './classic-output.js';
import { isRunContainer } from './containers.js';
import type { Transport } from './transport.js';

/** A pull ends when the connection is cut, and has made no image yet. */
const PULL_PATIENCE_MS = 500;
/** Between instructions only does the engine look for a hang-up: a long COPY goes on to its end anyway. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 20;

/**
 * On abort, kills the container of the running RUN and of every later one, which fails the build at once, and leaves the
 * connection open to hear of the last images. It is cut where the build cannot have begun, and where patience ends.
 */
export class GentleStop {
  readonly #transport: Transport;
  readonly #output: ClassicOutput;
  readonly #signal: AbortSignal;
  readonly #cut = new AbortController();
  readonly #over = new AbortController();
  readonly #killed = new Set<string>();
  readonly #timers: NodeJS.Timeout[] = [];
  #upload: Readable | undefined;

  constructor(transport: Transport, output: ClassicOutput, signal: AbortSignal) {
    this.#transport = transport;
    this.#output = output;
    this.#signal = signal;
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Aborted when the connection shall be cut. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  /** As long as this is not sent whole, nothing is built. */
  watch(upload: Readable): void {
    this.#upload = upload;
  }

  /** To be called after each message of the builder. */
  look(): void {
    if (!this.#signal.aborted) return;
    for (const id of this.#output.openContainers) {
      if (this.#killed.has(id)) continue;
      this.#killed.add(id);
      // Whatever goes wrong here, patience ends.
      this.#kill(id).catch(() => undefined);
    }
  }

  dispose(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#over.abort();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  readonly #onAbort = (): void => {
    const cut = (): void => {
      this.#cut.abort(this.#signal.reason);
    };
    if (this.#upload?.readableEnded !== true) {
      cut();
      return;
    }
    this.#timers.push(
      setTimeout(() => {
        if (this.#output.isAtBase) cut();
      }, PULL_PATIENCE_MS),
      setTimeout(cut, PATIENCE_MS),
    );
    this.look();
  };

  /** The builder announces a container before it starts it: until then the engine answers 409. */
  async #kill(id: string): Promise<void> {
    const { signal } = this.#over;
    if (!(await isRunContainer(this.#transport, id, signal))) return;
    for (;;) {
      try {
        const purpose = `kill the container ${id}`;
        const path = `/containers/${id}/kill`;
        await this.#transport.json({ method: 'POST', path, pace: 'repeatable', signal, purpose });
        return;
      } catch (error) {
        if (!(error instanceof EngineError && error.status === 409)) throw error;
        if (!this.#output.openContainers.has(id)) return;
      }
      await delay(RETRY_MS, undefined, { signal });
    }
  }
}

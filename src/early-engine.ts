/** An engine that is connected while files are read: what it tells is kept until there is somebody to tell. */
import { listHoldings, type Holding } from './core/leftovers.js';
import type { Engine } from './core/ports.js';
import type { UserFolder } from './core/user-folder.js';
import type { ConnectOptions } from './engine/address.js';
import { connect } from './engine/connect.js';

type Listeners = Required<Pick<ConnectOptions, 'onPassword' | 'onNotice'>>;

export class EarlyEngine implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #connected: Promise<Engine>;
  /** What sessions held when it was connected. */
  readonly holdings: Promise<readonly Holding[]>;
  readonly #untold: ((to: Listeners) => void)[] = [];
  #listeners: Listeners | undefined;

  constructor(options: Omit<ConnectOptions, keyof Listeners>, folder: UserFolder, signal: AbortSignal) {
    const listeners: Listeners = {
      onPassword: (password) => {
        this.#tell(({ onPassword }) => {
          onPassword(password);
        });
      },
      onNotice: (message) => {
        this.#tell(({ onNotice }) => onNotice?.(message));
      },
    };
    this.#connected = connect({ ...options, ...listeners }, AbortSignal.any([signal, this.#stop.signal]));
    this.holdings = this.#connected.then((engine) => listHoldings(engine, folder));
    // Who does not get as far as to need them need not hear of it.
    for (const early of [this.#connected, this.holdings]) early.catch(() => undefined);
  }

  /** @throws what `connect` throws */
  async connected(listeners: Listeners): Promise<Engine> {
    this.#listeners = listeners;
    for (const tell of this.#untold.splice(0)) tell(listeners);
    return this.#connected;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const engine = await this.#connected.catch(() => undefined);
    await engine?.close();
  }

  #tell(tell: (to: Listeners) => void): void {
    if (this.#listeners === undefined) this.#untold.push(tell);
    else tell(this.#listeners);
  }
}

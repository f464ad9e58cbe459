/** HTTP listeners of one session: one for each address and port, open as long as a step is served by it. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request line and few headers: nothing that a build sends takes longer or more. */
const REQUEST_MS = 10_000;
const CHECK_MS = 1_000;
const MOST_HEADER_BYTES = 8 * 1024;
/** For a client that does not take what it asked for. */
const IDLE_MS = 30_000;
const MOST_CONNECTIONS = 64;

/** One step's hold on a listener. Disposing the last one closes it, with all its connections. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
}

interface Shared {
  readonly server: Server;
  readonly listening: Promise<number>;
  holders: number;
}

export class Listeners {
  readonly #handler: RequestListener;
  readonly #shared = new Map<string, Shared>();

  constructor(handler: RequestListener) {
    this.#handler = handler;
  }

  /**
   * @param port 0: any free one, and a listener of its own
   * @throws what the system says, e.g. EADDRINUSE
   */
  async open(address: string, port: number): Promise<Listener> {
    let shared = port === 0 ? undefined : this.#shared.get(keyOf(address, port));
    if (shared === undefined) {
      const server = newServer(this.#handler);
      shared = { server, listening: listen(server, address, port), holders: 0 };
      if (port !== 0) this.#shared.set(keyOf(address, port), shared);
    }
    // Counted before it listens: what another step does meanwhile must not close it.
    shared.holders++;
    let actual: number;
    try {
      actual = await shared.listening;
    } catch (error) {
      this.#forget(shared);
      throw error;
    }
    this.#shared.set(keyOf(address, actual), shared);
    return this.#hold(shared, actual);
  }

  #hold(shared: Shared, port: number): Listener {
    let closed: Promise<void> | undefined;
    return {
      port,
      [Symbol.asyncDispose]: () => (closed ??= this.#release(shared)),
    };
  }

  async #release(shared: Shared): Promise<void> {
    shared.holders--;
    if (shared.holders > 0) return;
    this.#forget(shared);
    const closed = once(shared.server, 'close');
    shared.server.close();
    shared.server.closeAllConnections();
    await closed;
  }

  #forget(shared: Shared): void {
    for (const [key, other] of this.#shared) if (other === shared) this.#shared.delete(key);
  }
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`;
}

function newServer(handler: RequestListener): Server {
  const server = createServer(
    {
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: CHECK_MS,
      maxHeaderSize: MOST_HEADER_BYTES,
    },
    handler,
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.setTimeout(IDLE_MS);
  return server;
}

async function listen(server: Server, address: string, port: number): Promise<number> {
  server.listen({ host: address, port, exclusive: true });
  await once(server, 'listening');
  // A connection that could not be accepted is its client's problem; without a listener it would end the process.
  server.on('error', () => undefined);
  return (server.address() as AddressInfo).port;
}

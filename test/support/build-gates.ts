/** Gates that RUN instructions and commands wait at: a web server that answers a path only once the test opens it. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { atEnd } from './build-cleanup.js';
import { Gate } from './gate.js';

export class Gates {
  readonly #server: Server;
  readonly #gates = new Map<string, Gate>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Closed after the file's tests, with all its connections. */
  static async start(): Promise<Gates> {
    // How long a test waits, the test itself says: a machine that stands still for a minute answers no request with 408.
    const server = createServer({ headersTimeout: 0, requestTimeout: 0 });
    const gates = new Gates(server);
    server.on('request', (request, response) => {
      const gate = gates.at((request.url ?? '').slice(1));
      void gate.pass().then(() => response.end());
    });
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
    atEnd(() => {
      server.close();
      server.closeAllConnections();
    });
    return gates;
  }

  at(name: string): Gate {
    const gate = this.#gates.get(name) ?? new Gate();
    this.#gates.set(name, gate);
    return gate;
  }

  /** Opens the gate for who waits at it; who comes later waits at a new one. */
  pass(name: string): void {
    const gate = this.at(name);
    this.#gates.delete(name);
    gate.open();
  }

  /** A shell command that ends when the gate is opened: for images with busybox, whose bridge leads to this machine. */
  wait(name: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `wget -q -O /dev/null http://$(ip route | awk '/default/ {print $3}'):${port}/${name}`;
  }
}

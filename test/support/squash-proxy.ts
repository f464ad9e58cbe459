/** Stands between a program and an engine, and counts what the program sends. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { endpointOf } from '../../src/lab/http.js';
import { atEnd } from './build-cleanup.js';
import type { TestEngine } from './engines.js';

export interface CountingProxy {
  readonly engine: TestEngine;
  /** Bytes from the program to the engine so far. */
  readonly sent: number;
}

/** Closed after the file's tests. */
export async function countingProxy(engine: TestEngine): Promise<CountingProxy> {
  const endpoint = endpointOf(engine.host);
  if (endpoint === undefined) throw new Error(`no endpoint: ${engine.host}`);
  let sent = 0;
  const open = new Set<Socket>();
  // Both ends may close one direction and go on listening, as docker's hijacked connections do.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({
      ...(endpoint.kind === 'unix' ? endpoint : { host: endpoint.host, port: endpoint.port }),
      allowHalfOpen: true,
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy()).on('close', () => open.delete(socket));
    }
    client.on('data', (chunk: Buffer) => (sent += chunk.length));
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return {
    engine: { ...engine, host: `tcp://127.0.0.1:${port}`, socket: undefined },
    get sent() {
      return sent;
    },
  };
}

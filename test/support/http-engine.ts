/** An engine of the test's own behind a TCP port, for what real ones do too rarely to wait for. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { EngineAddress } from '../../src/engine/address.js';

export type Handler = (request: IncomingMessage, answer: ServerResponse) => void;

/** It ends with the test. */
export async function httpEngine(handler: Handler): Promise<{ server: Server; address: EngineAddress }> {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `tcp://127.0.0.1:${port}`;
  return { server, address: { kind: 'tcp', hostname: '127.0.0.1', port, url, from: 'the test' } };
}

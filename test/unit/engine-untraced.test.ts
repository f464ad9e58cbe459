/** Engines are told not to record what is asked of them. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Transport } from '../../src/engine/transport.js';

test('each call says that it is not to be traced', async () => {
  const told: unknown[] = [];
  const server = createServer((request, answer) => {
    told.push(request.headers['traceparent']);
    answer.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `tcp://127.0.0.1:${port}`;
  const transport = new Transport({ kind: 'tcp', hostname: '127.0.0.1', port, url, from: 'the test' });
  await transport.json({ method: 'GET', path: '/info', purpose: 'tell of itself' });
  (
    await transport.stream({ method: 'POST', path: '/build', headers: { 'X-Own': 'x' }, purpose: 'build' })
  ).resume();
  expect(told).toHaveLength(2);
  for (const each of told) expect(each).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/);
});

/** Engines are told not to record what is asked of them. */
import { expect, test } from 'vitest';
import { Transport } from '../../src/engine/transport.js';
import { httpEngine } from '../support/http-engine.js';

test('each call says that it is not to be traced', async () => {
  const told: unknown[] = [];
  const { address } = await httpEngine((request, answer) => {
    told.push(request.headers['traceparent']);
    answer.end('{}');
  });
  const transport = new Transport(address);
  await transport.json({ method: 'GET', path: '/info', purpose: 'tell of itself' });
  const call = { method: 'POST', path: '/build', headers: { 'X-Own': 'x' }, purpose: 'build' } as const;
  (await transport.stream(call)).resume();
  expect(told).toHaveLength(2);
  for (const each of told) expect(each).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/);
});

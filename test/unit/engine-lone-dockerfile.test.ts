/** Which builds need no session; test/engine/build-sessions.test.ts has them built. */
import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { RecentLooks, standsAlone } from '../../src/engine/lone-dockerfile.js';
import { Transport } from '../../src/engine/transport.js';
import { buildRequest } from '../support/build-request.js';
import { httpEngine } from '../support/http-engine.js';
import { NEVER } from '../support/tar.js';

const TAG = '127.0.0.1:1/made:latest';
const DESCRIBED = JSON.stringify({ Id: `sha256:${'a'.repeat(64)}` });

async function looks(answer: (response: ServerResponse) => void) {
  const asked: string[] = [];
  const { address } = await httpEngine(({ url = '' }, response) => {
    asked.push(url.replace(/\?$/, ''));
    answer(response);
  });
  const transport = new Transport(address);
  onTestFinished(() => {
    transport.close();
  });
  return { looks: new RecentLooks(transport), asked };
}

test('many builds on one base look at it once', async () => {
  const { looks: recent, asked } = await looks((response) => response.end(DESCRIBED));
  const request = buildRequest(TAG, ['FROM busybox', 'RUN x', 'FROM other', 'COPY --from=0 /a /b']);
  const alone = await Promise.all([1, 2, 3].map(() => standsAlone(request, 'graphdriver', recent, NEVER)));
  expect(alone).toEqual([true, true, true]);
  expect(asked.toSorted()).toEqual(['/images/busybox/json', '/images/other/json']);
});

test.each([
  ['a heredoc, which 20.10 does not know', ['FROM busybox', 'RUN true # <<#x', 'COPY file /got', '#x']],
  ['a frontend of its own', ['# syntax=docker/dockerfile:1', 'FROM busybox']],
  ['a file of the context', ['FROM busybox', 'COPY file /got']],
])('%s needs a session, and nothing is asked', async (_, lines) => {
  const { looks: recent, asked } = await looks((response) => response.end(DESCRIBED));
  expect(await standsAlone(buildRequest(TAG, lines), 'graphdriver', recent, NEVER)).toBe(false);
  expect(asked).toEqual([]);
});

test('where a base cannot be looked at, the build with a session tells why', async () => {
  const { looks: recent } = await looks((response) => response.writeHead(500).end('{"message":"broken"}'));
  expect(await standsAlone(buildRequest(TAG, ['FROM busybox']), 'graphdriver', recent, NEVER)).toBe(false);
});

test('who is stopped does not wait for the look', async () => {
  const stop = new AbortController();
  const { looks: recent } = await looks(() => {
    stop.abort(new Error('stopped'));
  });
  const alone = standsAlone(buildRequest(TAG, ['FROM busybox']), 'graphdriver', recent, stop.signal);
  await expect(alone).rejects.toThrow('stopped');
});

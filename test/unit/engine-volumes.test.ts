/** Volumes where an engine's answer is lost, or is nonsense. */
import { expect, test } from 'vitest';
import { Transport } from '../../src/engine/transport.js';
import { createVolume, removeVolume } from '../../src/engine/volumes.js';
import { httpEngine } from '../support/http-engine.js';

const MINE = { name: 'lock', labels: { by: 'me' } };

/** An engine with one volume, whose removal breaks off the connection before or after it is done. */
async function engine({ removes, next }: { readonly removes: boolean; readonly next?: string }) {
  const calls: string[] = [];
  let labels: Readonly<Record<string, string>> | undefined = MINE.labels;
  let isBroken = true;
  const { address } = await httpEngine((request, answer) => {
    calls.push(request.method ?? '');
    if (request.method === 'GET') {
      answer.statusCode = labels === undefined ? 404 : 200;
      answer.end(
        JSON.stringify(labels === undefined ? { message: 'none' } : { Name: 'lock', Labels: labels }),
      );
      return;
    }
    if (removes || !isBroken) labels = next === undefined ? undefined : { by: next };
    if (isBroken) request.socket.destroy();
    else answer.end();
    isBroken = false;
  });
  return { transport: new Transport(address), calls };
}

test.each([
  ['is looked for first, and is gone', { removes: true }, ['GET', 'DELETE', 'GET']],
  [
    'is not removed again where another has its name',
    { removes: true, next: 'her' },
    ['GET', 'DELETE', 'GET'],
  ],
  ['is removed then where it is still there', { removes: false }, ['GET', 'DELETE', 'GET', 'DELETE']],
])('a volume whose removal is not answered %s', async (_, given, expected) => {
  const { transport, calls } = await engine(given);
  await removeVolume(transport, MINE);
  expect(calls).toEqual(expected);
});

test('an answer that tells of no volume is an error', async () => {
  const { address } = await httpEngine((_, answer) => answer.end('{}'));
  await expect(createVolume(new Transport(address), 'lock', {})).rejects.toThrow(
    'The engine could not create the volume lock: its answer has no Name',
  );
});

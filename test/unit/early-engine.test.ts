/** What an engine tells that is connected before anybody listens, and how it is let go. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { userFolder } from '../../src/core/user-folder.js';
import { EarlyEngine } from '../../src/early-engine.js';
import { Gate } from '../support/gate.js';
import { httpEngine, type Handler } from '../support/http-engine.js';
import { NEVER } from '../support/tar.js';

const FOLDER = userFolder({ XDG_CACHE_HOME: '/nowhere' });
const PATIENCE = { connect: 1000, answer: 1000, ping: 1000, silence: 1000, retries: [1, 1] };

const answer: Handler = (request, reply) => {
  const path = request.url ?? '';
  if (path.includes('/_ping'))
    reply.setHeader('Api-Version', '1.51').setHeader('Builder-Version', '2').end('OK');
  else if (path.includes('/info'))
    reply.end(JSON.stringify({ ID: 'E', ServerVersion: '28', OSType: 'linux' }));
  else reply.end('[]');
};

function open(url: string): EarlyEngine {
  return new EarlyEngine({ host: url, env: {}, patience: PATIENCE }, FOLDER, NEVER);
}

test('what it tells first is told as soon as somebody listens, what comes later at once', async () => {
  let breaks = 1;
  const { address } = await httpEngine((request, reply) => {
    if (request.url?.includes('/_ping') !== true && breaks-- > 0) request.socket.destroy();
    else answer(request, reply);
  });
  await using early = open(address.url);
  await early.holdings;
  const notices: string[] = [];
  const engine = await early.connected({
    onNotice: (message) => notices.push(message),
    onPassword: () => undefined,
  });
  const broken = (what: string): string =>
    `The engine could not ${what}: the connection to ${address.url} broke: trying again`;
  expect(notices).toEqual([broken('describe itself')]);
  // One over a connection that was left, which is no news, and one over its own.
  breaks = 2;
  await engine.listContainers('x');
  expect(notices).toEqual([broken('describe itself'), broken('list containers')]);
});

test('who has no use for it is not told that there is none', async () => {
  await using early = open('tcp://127.0.0.1:1');
  await expect(early.holdings).rejects.toThrow('connection refused');
});

test('one that is not there is not asked twice, and nothing else is told of it', async () => {
  const notices: string[] = [];
  await using early = open('tcp://127.0.0.1:1');
  const listeners = { onNotice: (message: string) => notices.push(message), onPassword: () => undefined };
  await expect(early.connected(listeners)).rejects.toThrow(
    'No Docker Engine answers at tcp://127.0.0.1:1 (--host): connection refused',
  );
  expect(notices).toEqual([]);
});

test('what it was asked is not asked again once it is let go', async () => {
  const asked = new Gate();
  let lists = 0;
  const { address } = await httpEngine((request, reply) => {
    if (request.url?.endsWith('/info?') === true || request.url?.includes('/_ping') === true) {
      answer(request, reply);
      return;
    }
    if (++lists === 2) asked.open();
  });
  const notices: string[] = [];
  const early = open(address.url);
  await early.connected({ onNotice: (message) => notices.push(message), onPassword: () => undefined });
  await asked.pass();
  await early[Symbol.asyncDispose]();
  await expect(early.holdings).rejects.toThrow(/ broke$/);
  expect([lists, notices]).toEqual([2, []]);
});

test('it is let go while it says nothing', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const early = open(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(server, 'connection');
  const gone = new Gate();
  sockets[0]?.once('close', () => {
    gone.open();
  });
  await early[Symbol.asyncDispose]();
  await gone.pass();
  await expect(early.connected({ onNotice: () => undefined, onPassword: () => undefined })).rejects.toThrow();
});

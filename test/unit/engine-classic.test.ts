/** Classic builds whose cached images another build removes meanwhile. */
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { BuilderEvent, BuildRequest } from '../../src/core/ports.js';
import { RegistryAuth } from '../../src/engine/auth.js';
import { buildClassic } from '../../src/engine/classic.js';
import { ImageRemover } from '../../src/engine/image-remover.js';
import { Transport } from '../../src/engine/transport.js';

const BASE = ['Step 1/2 : FROM busybox', '\n', ' ---> aaaaaaaaaaaa\n', 'Step 2/2 : ENV a=b', '\n'];
const GONE_IN_LOOKUP = 'unable to find image "sha256:0123"';
const GONE_AFTER_USE = 'No such image: sha256:0123';

const REQUEST: BuildRequest = {
  builder: 'classic',
  context: { async *entries() {}, open: () => expect.fail('there is nothing to open') },
  contextKey: '',
  dockerfile: Buffer.from('FROM busybox\nENV a=b\n'),
  tag: 'habitus.invalid/x:latest',
  args: {},
  noCache: false,
  network: 'default',
  limits: {},
  removeContainers: true,
  secrets: new Map(),
  ssh: [],
};

/** An engine whose builds fail with these errors, one after the other, and then succeed. */
async function engine(errors: readonly string[], streams: readonly string[] = BASE) {
  const folder = await mkdtemp(join(tmpdir(), 'habitus-classic-'));
  const left = [...errors];
  const server = createServer((request, answer) => {
    request.resume().on('end', () => {
      const error = left.shift();
      const last =
        error === undefined
          ? [{ stream: ' ---> bbbbbbbbbbbb\n' }, { stream: 'Successfully built bbbbbbbbbbbb\n' }]
          : [{ errorDetail: { message: error } }];
      const said = [...streams.map((stream) => ({ stream })), ...last];
      answer.end(said.map((message) => `${JSON.stringify(message)}\n`).join(''));
    });
  });
  const path = join(folder, 'engine.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });
  const transport = new Transport({ kind: 'socket', path, url: `unix://${path}`, from: 'the test' });
  const auth = new RegistryAuth({ DOCKER_CONFIG: folder });
  const remover = new ImageRemover(transport, 'graphdriver');
  const events: BuilderEvent[] = [];
  const build = () =>
    buildClassic(
      { transport, auth, remover },
      REQUEST,
      (event) => events.push(event),
      new AbortController().signal,
    );
  return { build, left, warnings: () => events.filter(({ type }) => type === 'warning').length };
}

test('one that vanishes while the engine looks for it is built without, again and again', async () => {
  const { build, warnings } = await engine([GONE_IN_LOOKUP, GONE_IN_LOOKUP, GONE_IN_LOOKUP]);
  await build();
  expect(warnings()).toBe(3);
});

test.each([
  'failed to export image: failed to set parent sha256:0123: unknown parent image ID sha256:0123',
  'failed to get digest sha256:0123: open content: no such file or directory',
  `content digest sha256:${'0'.repeat(64)}: not found`,
  'failed to get layer sha256:0123: layer does not exist',
  `failed commit on ref "sha256:${'0'.repeat(64)}": commit failed: lease does not exist: not found`,
])('each way in which an engine says so is understood: %s', async (words) => {
  const { build, warnings } = await engine([words]);
  await build();
  expect(warnings()).toBe(1);
});

test('one that vanishes after it was used is built again', async () => {
  const { build, warnings } = await engine([GONE_AFTER_USE], [...BASE, ' ---> Using cache\n']);
  await build();
  expect(warnings()).toBe(1);
});

test('a build that always fails so fails in the end', async () => {
  const { build, left } = await engine(Array.from({ length: 6 }, () => GONE_IN_LOOKUP));
  await expect(build()).rejects.toThrow('ENV a=b failed: unable to find image "sha256:0123"');
  expect(left).toHaveLength(1);
});

test.each([
  `No such image: sha256:${'b'.repeat(64)}`,
  `failed to get destination image "sha256:${'b'.repeat(64)}": open content: no such file or directory`,
])('an image of its own that vanishes is built again: %s', async (words) => {
  const { build, warnings } = await engine([words], [...BASE, ' ---> bbbbbbbbbbbb\n']);
  await build();
  expect(warnings()).toBe(1);
});

test('an image that is missing without any cache is no reason to try again', async () => {
  const { build, warnings } = await engine([GONE_AFTER_USE]);
  await expect(build()).rejects.toThrow('No such image: sha256:0123');
  expect(warnings()).toBe(0);
});

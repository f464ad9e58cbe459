/** Images of BuildKit that somebody removes while they are built, and what is asked of an engine after a build. */
import { expect, test } from 'vitest';
import type { BuilderEvent, EngineInfo } from '../../src/core/ports.js';
import { DockerEngine } from '../../src/engine/docker-engine.js';
import { MessageWriter } from '../../src/engine/protobuf.js';
import { Transport } from '../../src/engine/transport.js';
import { buildRequest } from '../support/build-request.js';
import { httpEngine } from '../support/http-engine.js';
import { NEVER } from '../support/tar.js';

const TAG = '127.0.0.1:1/made:latest';
const ID = `sha256:${'a'.repeat(64)}`;
/** Word for word what 20.10 said of an image that another build was removing. */
const GONE = `failed to get digest ${ID}: open /var/lib/docker/image/overlay2/imagedb/content/sha256/${'a'.repeat(64)}: no such file or directory`;
const INFO: EngineInfo = {
  id: 'test',
  name: 'a test',
  version: '28.5.2',
  apiVersion: '1.51',
  store: 'graphdriver',
  builders: ['buildkit'],
  local: true,
};

/** A vertex that has ended, as a line of the builder's progress. */
function vertex(name: string, cached = false): object {
  const time = new MessageWriter().number(1, 1_700_000_000).bytes;
  const ended = new MessageWriter().data(1, `sha256:${name}`).data(3, name);
  const told = ended.number(4, Number(cached)).data(5, time).data(6, time).bytes;
  const aux = Buffer.from(new MessageWriter().data(1, told).bytes).toString('base64');
  return { id: 'moby.buildkit.trace', aux };
}

/** Whether a base is there is asked before a build. */
const BASE = 'GET /images/busybox/json';
const MADE = { id: 'moby.image.id', aux: { ID } };
const EXPORT = vertex('exporting to image');
const FROM = vertex('[1/2] FROM docker.io/library/busybox');

/** Builds with an engine that says this of its builds, one after the other. */
async function build(builds: readonly (readonly object[])[], isThere = true) {
  const calls: string[] = [];
  const left = [...builds];
  const { address } = await httpEngine((request, answer) => {
    const url = new URL(request.url ?? '', 'http://engine');
    const call = `${request.method ?? ''} ${url.pathname.replace(ID, 'ID')}`;
    if (call !== 'GET /_ping' && call !== BASE) calls.push(call);
    const listed = isThere ? [{ Id: ID, ParentId: '', RepoTags: [TAG] }] : [];
    const lines =
      call === 'POST /build' ? (left.shift() ?? []) : [url.pathname.endsWith('/tag') ? {} : listed];
    const lone = call === BASE || call === `GET /images/${TAG}/json` ? [{ Id: ID }] : lines;
    request.resume().on('end', () => answer.end(lone.map((line) => `${JSON.stringify(line)}\n`).join('')));
  });
  const engine = new DockerEngine(new Transport(address), INFO, 0, { env: {} });
  const events: BuilderEvent[] = [];
  const done = engine.build(
    buildRequest(TAG, ['FROM busybox', 'RUN x']),
    (event) => events.push(event),
    NEVER,
  );
  const result = await done.finally(() => engine.close()).catch((error: unknown) => (error as Error).message);
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  return { result, warnings, calls };
}

test('what it has newly made is not asked for again', async () => {
  const { result, calls } = await build([[FROM, vertex('[2/2] RUN x'), EXPORT, MADE]]);
  expect([result, calls]).toEqual([ID, ['POST /build']]);
});

test('what came from the cache whole is held', async () => {
  const { result, calls } = await build([[FROM, vertex('[2/2] RUN x', true), EXPORT, MADE]]);
  const looks = [`GET /images/${TAG}/json`, 'POST /images/ID/tag', 'POST /images/ID/tag', 'GET /images/json'];
  expect([result, calls]).toEqual([ID, ['POST /build', ...looks]]);
});

test('it is built once more where the cached image goes before it has its name', async () => {
  const made = [FROM, vertex('[2/2] RUN x'), EXPORT, MADE];
  const { result, warnings } = await build([[FROM, { errorDetail: { message: GONE } }], made]);
  expect(result).toBe(ID);
  expect(warnings).toEqual(['The image was removed as soon as it was built: building once more']);
});

test('it fails with the words of the engine where that never ends', async () => {
  const { result, warnings } = await build(
    Array.from({ length: 3 }, () => [{ errorDetail: { message: GONE } }]),
  );
  expect(result).toContain(GONE.slice(0, 60));
  expect(warnings).toHaveLength(2);
});

test('it fails where what came from the cache never stays', async () => {
  const cached = [FROM, vertex('[2/2] RUN x', true), EXPORT, MADE];
  const { result } = await build([cached, cached, cached], false);
  expect(result).toBe(`The image ${TAG} is gone right after it was built`);
});

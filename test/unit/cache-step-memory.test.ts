/** What a session remembers of earlier ones, on an engine in memory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSessionMemory } from '../../src/cache/step-memory.js';
import { CacheStore } from '../../src/cache/store.js';
import type { Fate, SessionMemory } from '../../src/core/memory.js';
import { buildRequest } from '../support/build-request.js';
import { FakeEngine } from '../support/fake-engine.js';
import { NEVER } from '../support/tar.js';

const NAME = 'app:latest';
const OTHER = 'other:latest';

let folder: string;
let engine: FakeEngine;
let imageId: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'habitus-memory-'));
  engine = new FakeEngine();
  const { id } = (await engine.describeImage('busybox:latest')) ?? { id: '' };
  imageId = id;
  await engine.tagImage(imageId, NAME);
  await using memory = await open();
  const [fate] = await decide(memory, Promise.resolve(false));
  if (fate === undefined) throw new Error('the plan has a step');
  await memory.remember('1jzk6cq3v0ab', [{ label: 'app', fate, imageId, durationMs: 1 }], NEVER);
});
afterEach(() => rm(folder, { recursive: true }));

function open(): Promise<SessionMemory> {
  const step = {
    label: 'app',
    imageName: NAME,
    dependsOn: [],
    context: folder,
    dockerfile: { path: join(folder, 'Dockerfile'), content: Buffer.from('FROM scratch\n'), references: [] },
    args: {},
    noCache: false,
    artifacts: [],
    base: { kind: 'scratch' },
    secrets: [],
    ssh: [],
    commandCache: false,
    keep: true,
  } as const;
  return openSessionMemory({
    plan: { file: join(folder, 'build.yml'), workDirectory: folder, version: '2026-11-22', steps: [step] },
    engine,
    builder: 'buildkit',
    network: 'default',
    limits: {},
    version: '1.0.0',
    secretsOf: () => [],
    keepArtifacts: false,
    holdsAll: false,
    explains: false,
    key: Buffer.alloc(32),
    store: new CacheStore({ state: 'on', path: folder }),
    warn: (message) => expect.fail(message),
  });
}

async function decide(memory: SessionMemory, moved: Promise<boolean>): Promise<readonly Fate[]> {
  return [...(await memory.decide(() => Promise.resolve(true), moved, NEVER)).values()];
}

it('leaves a step of which nothing has changed, and whose image has its name', async () => {
  await using memory = await open();
  expect(await decide(memory, Promise.resolve(false))).toEqual([{ kind: 'named', imageId }]);
});

it('gives a name back that the promotion of a dead session has moved since it was asked for', async () => {
  await using memory = await open();
  const request = buildRequest(OTHER, ['FROM busybox:latest', 'LABEL other=1']);
  const other = await engine.build(request, () => undefined, NEVER);
  const findNames = engine.findNames.bind(engine);
  let asked = (): void => undefined;
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  engine.findNames = async (names) => {
    const found = await findNames(names);
    asked();
    return found;
  };
  const moved = isAsked.then(async () => {
    await engine.tagImage(other, NAME);
    return true;
  });
  expect(await decide(memory, moved)).toEqual([{ kind: 'reuse', imageId, command: 'runs' }]);
});

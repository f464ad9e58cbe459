/** What dead sessions have left: found by marks and journals, removed, and their promotions ended. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as Timers from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EngineError } from '../../src/core/errors.js';
import type { BuildEvent } from '../../src/core/events.js';
import { collectDead } from '../../src/core/collect-dead.js';
import { takeLock } from '../../src/core/engine-lock.js';
import { Journal } from '../../src/core/journal.js';
import { collect, lastWorkDone, listHoldings } from '../../src/core/leftovers.js';
import { newSessionId, sessionName, siblingName } from '../../src/core/marks.js';
import { thisProcess, type Owner } from '../../src/core/owner.js';
import { promote } from '../../src/core/promote.js';
import { lockNames } from '../../src/core/promotion-lock.js';
import { Session } from '../../src/core/session.js';
import type { UserFolder } from '../../src/core/user-folder.js';
import { buildRequest } from '../support/build-request.js';
import { DEAD, ELSEWHERE, labelsOf } from '../support/dead-owner.js';
import { FakeEngine } from '../support/fake-engine.js';
import { NEVER } from '../support/tar.js';

/** Waiting takes no time here, and this is what happens meanwhile. */
const waits = vi.hoisted(() => ({ meanwhile: (): Promise<unknown> => Promise.resolve() }));
vi.mock('node:timers/promises', async (original) => {
  const timers = await original<typeof Timers>();
  const setTimeout = async (_ms: number, value: unknown, options: object): Promise<unknown> => {
    await waits.meanwhile();
    return timers.setTimeout(0, value, options);
  };
  return { ...timers, setTimeout };
});

let folder: UserFolder & { readonly path: string };
let engine: FakeEngine;
beforeEach(async () => {
  folder = { state: 'on', path: await mkdtemp(join(tmpdir(), 'habitus-leftovers-')) };
  engine = new FakeEngine();
  waits.meanwhile = () => Promise.resolve();
});
afterEach(() => rm(folder.path, { recursive: true }));

async function image(name: string): Promise<string> {
  const request = buildRequest(name, ['FROM busybox:latest', `LABEL made=${name}`]);
  return engine.build(request, () => undefined, NEVER);
}

/** What a session of this owner leaves: a container, two names of one image. */
async function leave(owner: Owner): Promise<string> {
  const session = newSessionId();
  const name = sessionName(session, 'app', 0, owner);
  const imageId = await image(name);
  await engine.tagImage(imageId, siblingName(name, 'cleaned'));
  const labels = labelsOf(session, owner);
  await engine.createContainer({ image: name, command: [], network: 'none', limits: {}, labels }, NEVER);
  return session;
}

/** A lock that a dead one has left, who was to give these names to images that have the session's, too. */
async function leaveLock(
  changes: readonly { name: string; imageId: string; previous?: string }[],
  owner: Owner = DEAD,
): Promise<string> {
  const session = newSessionId();
  for (const [index, { imageId }] of changes.entries()) {
    if (engine.images.has(imageId)) await engine.tagImage(imageId, sessionName(session, 'app', index, owner));
  }
  const labels = { ...labelsOf(session, owner), 'habitus.promotion': JSON.stringify(changes) };
  await engine.createVolume('habitus-promotion', labels);
  return session;
}

const idOf = async (name: string): Promise<string | undefined> => (await engine.describeImage(name))?.id;
const told = async (): Promise<string[]> => {
  const events: BuildEvent[] = [];
  await collectDead(engine, folder, listHoldings(engine, folder), (event) => void events.push(event), NEVER);
  return events.flatMap((event) => (event.type === 'notice' ? `${event.level}: ${event.message}` : []));
};

describe('before a build', () => {
  it('is told whether names may have moved: where there was a dead session', async () => {
    const run = (): Promise<boolean> =>
      collectDead(engine, folder, listHoldings(engine, folder), () => undefined, NEVER);
    await leave(thisProcess());
    expect(await run()).toBe(false);
    const [before, after] = [await image('app:1'), await image('app:2')];
    await leaveLock([{ name: 'app:1', imageId: after, previous: before }]);
    expect(await run()).toBe(true);
    expect(await idOf('app:1')).toBe(after);
    expect(await run()).toBe(false);
    engine.listContainers = () => Promise.reject(new EngineError('the engine is gone'));
    expect(await run(), 'nobody knows').toBe(true);
  });
});

describe('the sessions on an engine', () => {
  it('are told with what they hold and whether they live', async () => {
    const dead = await leave(DEAD);
    const living = await leave(thisProcess());
    const far = await leave(ELSEWHERE);
    const old = '0000000000ab';
    await image(`127.0.0.1:1/habitus/${old}/1-app:latest`);
    const found = await listHoldings(engine, folder);
    expect(found.map(({ session, life }) => [session, life])).toEqual(
      [
        [dead, 'dead'],
        [living, 'running'],
        [far, 'unknown'],
        [old, 'unknown'],
      ].sort(),
    );
    expect(found.find(({ session }) => session === dead)).toMatchObject({
      owner: DEAD,
      containers: [expect.any(String)],
      names: [
        { name: expect.stringMatching(/:o1\./) as string },
        { name: expect.stringMatching(/-cleaned$/) as string },
      ],
    });
  });

  it('are known by their journals where they have no marks', async () => {
    const imageId = await image('nobody:latest');
    const journal = new Journal(folder, '1jzk6cq3v0ab', engine.info.id);
    journal.note({ kind: 'image', id: imageId });
    expect(await listHoldings(engine, folder)).toMatchObject([
      { session: '1jzk6cq3v0ab', life: 'running', names: [], unmarked: [{ kind: 'image', id: imageId }] },
    ]);
  });
});

describe('collecting', () => {
  it('removes all of the dead and nothing of the living', async () => {
    const dead = await leave(DEAD);
    const living = await leave(thisProcess());
    const far = await leave(ELSEWHERE);
    expect(await told()).toEqual([
      `info: removed what session ${dead} left when it died: 1 container, 2 images`,
    ]);
    expect((await listHoldings(engine, folder)).map(({ session }) => session)).toEqual([living, far].sort());
    expect(await told()).toEqual([]);
  });

  it('removes an image that a journal tells of only where it has no name', async () => {
    const named = await image('kept:latest');
    const nameless = await image('soon:latest');
    engine.images.get(nameless)?.names.clear();
    const unmarked = [named, nameless].map((id) => ({ kind: 'image', id }) as const);
    expect(await collect(engine, folder, { session: '1jzk6cq3v0ab', unmarked }, NEVER)).toMatchObject({
      containers: 0,
      images: 1,
      problems: [],
    });
    expect(engine.images.has(named)).toBe(true);
    expect(engine.images.has(nameless)).toBe(false);
  });

  it('removes what was made of it, too, which nobody lived to write down', async () => {
    const [noted, made, last, other] = [
      await image('a:1'),
      await image('b:1'),
      await image('c:1'),
      await image('d:1'),
    ];
    for (const [id, parent] of [[noted], [made, noted], [last, made], [other, 'sha256:base']] as const) {
      const found = engine.images.get(id);
      found?.names.clear();
      if (found !== undefined && parent !== undefined) found.parent = parent;
    }
    const unmarked = [{ kind: 'image', id: noted.slice('sha256:'.length, 20) }] as const;
    const removing = vi.spyOn(engine, 'removeImage');
    expect(await collect(engine, folder, { session: '1jzk6cq3v0ab', unmarked }, NEVER)).toMatchObject({
      images: 3,
    });
    expect(removing.mock.calls.map(([id]) => id)).toEqual([last, made, noted]);
    expect(engine.images.has(other)).toBe(true);
  });

  it('waits for what an engine is still making for the dead', async () => {
    const noted = await image('a:1');
    engine.images.get(noted)?.names.clear();
    new Journal(folder, '1jzk6cq3v0ab', engine.info.id, DEAD).note({ kind: 'image', id: noted });
    let late = '';
    waits.meanwhile = async () => {
      late = await image('late:1');
      const found = engine.images.get(late);
      found?.names.clear();
      if (found !== undefined) found.parent = noted;
    };
    expect(await told()).toEqual(['info: removed what session 1jzk6cq3v0ab left when it died: 2 images']);
    expect(late).not.toBe('');
    expect(engine.images.has(late)).toBe(false);
  });

  it('does not wait when it is stopped', async () => {
    await leave(DEAD);
    const reason = new Error('enough');
    const stop = new AbortController();
    const waiting = lastWorkDone(new Set(await listHoldings(engine, folder)), stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('keeps the journal where something could not be removed', async () => {
    const journal = new Journal(folder, '1jzk6cq3v0ab', engine.info.id);
    const request = { image: 'busybox:latest', command: [], network: 'none', limits: {}, labels: {} };
    const { id } = await engine.createContainer(request, NEVER);
    const short = id.slice(0, 12);
    journal.note({ kind: 'container', id: short });
    journal.note({ kind: 'container', id: 'b'.repeat(12) });
    const [holding] = await listHoldings(engine, folder);
    if (holding === undefined) throw new Error('there is no journal');
    let isStuck = true;
    engine.removeContainer = () =>
      isStuck ? Promise.reject(new EngineError('it is stuck')) : Promise.resolve();
    expect(await collect(engine, folder, holding, NEVER)).toMatchObject({
      containers: 0,
      problems: [`container ${short} is left: it is stuck`],
    });
    expect(await listHoldings(engine, folder)).toHaveLength(1);
    isStuck = false;
    expect(await collect(engine, folder, holding, NEVER)).toMatchObject({ containers: 1, problems: [] });
    expect(await listHoldings(engine, folder)).toEqual([]);
  });

  it('begins nothing more once the build is stopped, and leaves the journal', async () => {
    const session = await leave(DEAD);
    const lost = await image('lost:latest');
    engine.images.get(lost)?.names.clear();
    new Journal(folder, session, engine.info.id, DEAD).note({ kind: 'image', id: lost });
    const [holding] = await listHoldings(engine, folder);
    if (holding === undefined) throw new Error('nothing was left');
    const stop = new AbortController();
    const remove = engine.removeContainer.bind(engine);
    engine.removeContainer = (id) => {
      stop.abort();
      return remove(id);
    };
    await collect(engine, folder, holding, stop.signal);
    const [left] = await listHoldings(engine, folder);
    expect(left).toMatchObject({ containers: [], unmarked: [{ id: lost }] });
    expect(left?.names).toHaveLength(2);
    expect(await engine.describeImage(lost)).toBeDefined();
  });

  it('never stops a build, whatever the engine says', async () => {
    engine.listContainers = () => Promise.reject(new EngineError('The engine could not list containers'));
    expect(await told()).toEqual([
      'warning: what dead sessions have left was not removed: The engine could not list containers',
    ]);
  });
});

describe('a promotion that a dead one has begun', () => {
  it('is finished where its images are still there, and the earlier ones are removed', async () => {
    const earlier = await image('a:latest');
    const [a, b] = [await image('new-a:latest'), await image('new-b:latest')];
    const session = await leaveLock([
      { name: 'a:latest', imageId: a, previous: earlier },
      { name: 'b:latest', imageId: b },
    ]);
    await engine.tagImage(a, 'a:latest');
    expect(await told()).toContain(
      `warning: session ${session} died while it gave names, which are all given now: a:latest, b:latest`,
    );
    expect([await idOf('a:latest'), await idOf('b:latest')]).toEqual([a, b]);
    expect(engine.images.has(earlier)).toBe(false);
    expect(engine.volumes.size).toBe(0);
  });

  it('is undone where one of its images is gone', async () => {
    const earlier = await image('a:latest');
    const [a, c] = [await image('new-a:latest'), await image('new-c:latest')];
    const session = await leaveLock([
      { name: 'a:latest', imageId: a, previous: earlier },
      { name: 'b:latest', imageId: 'sha256:gone' },
      { name: 'c:latest', imageId: c },
    ]);
    // Held by a container, as engines hold it.
    await engine.tagImage(earlier, 'held:latest');
    await engine.tagImage(a, 'a:latest');
    await engine.tagImage(c, 'c:latest');
    expect(await told()).toContain(
      `warning: session ${session} died while it gave names, which are what they were before: a:latest, c:latest`,
    );
    expect(await Promise.all(['a:latest', 'b:latest', 'c:latest'].map(idOf))).toEqual([
      earlier,
      undefined,
      undefined,
    ]);
  });

  it('leaves a name alone that somebody else has given since', async () => {
    const [a, b, theirs] = [
      await image('new-a:latest'),
      await image('new-b:latest'),
      await image('a:latest'),
    ];
    await leaveLock([
      { name: 'a:latest', imageId: a, previous: 'sha256:earlier' },
      { name: 'b:latest', imageId: b },
    ]);
    await told();
    expect([await idOf('a:latest'), await idOf('b:latest')]).toEqual([theirs, b]);
  });

  it('is nothing to end where no image of it is left', async () => {
    const session = await leaveLock([{ name: 'a:latest', imageId: 'sha256:gone' }]);
    expect(await collect(engine, folder, { session, unmarked: [] }, NEVER)).not.toHaveProperty('promotion');
    expect(engine.volumes.size).toBe(0);
  });

  it('does not keep others from giving names', async () => {
    const [a, b, mine] = [
      await image('new-a:latest'),
      await image('new-b:latest'),
      await image('mine:latest'),
    ];
    await leaveLock([
      { name: 'a:latest', imageId: a },
      { name: 'b:latest', imageId: b },
    ]);
    const recovered: string[] = [];
    const names = ['a', 'c'].map((label) => ({ label, name: `${label}:latest`, imageId: mine }));
    const removal = { force: false, noPrune: false };
    const session = new Session(engine, ['a', 'c']);
    const onRecovery = ({ how }: { how: string }): void => void recovered.push(how);
    expect(await promote(engine, session, names, removal, { onRecovery }, NEVER)).toEqual([]);
    expect(recovered).toEqual(['finished']);
    expect(await Promise.all(['a:latest', 'b:latest', 'c:latest'].map(idOf))).toEqual([mine, b, mine]);
    expect(engine.volumes.size).toBe(0);
  });

  it('is left to its owner while that lives', async () => {
    await leaveLock([{ name: 'a:latest', imageId: await image('new-a:latest') }], thisProcess());
    expect(await told()).toEqual([]);
    expect(await idOf('a:latest')).toBeUndefined();
    expect(engine.volumes.size).toBe(1);
  });

  it.each([
    ['one', [DEAD]],
    ['two', [DEAD, DEAD]],
    ['somebody on another host, who is waited for,', [ELSEWHERE]],
  ])('is ended after %s who died ending it', async (_, owners) => {
    const a = await image('new-a:latest');
    let dead = await leaveLock([{ name: 'a:latest', imageId: a }]);
    let name = 'habitus-promotion';
    for (const owner of owners) {
      name = `${name}-after-${dead}`;
      dead = newSessionId();
      await engine.createVolume(name, labelsOf(dead, owner));
    }
    let seconds = 0;
    const clock = vi.spyOn(process, 'hrtime').mockImplementation(() => [(seconds += 10), 0]);
    try {
      await told();
    } finally {
      clock.mockRestore();
    }
    expect(await idOf('a:latest')).toBe(a);
    expect(engine.volumes.size).toBe(0);
  });

  it('is ended by one of those who come at once, and the lock of who comes then is left alone', async () => {
    const a = await image('new-a:latest');
    const session = await leaveLock([{ name: 'a:latest', imageId: a }]);
    const next = { name: 'habitus-promotion', labels: labelsOf(newSessionId(), thisProcess()) };
    const remove = engine.removeVolume.bind(engine);
    engine.removeVolume = async (volume) => {
      await remove(volume);
      if (volume.name === next.name) await engine.createVolume(next.name, next.labels);
    };
    const all = await Promise.all(
      Array.from({ length: 5 }, () => collect(engine, folder, { session, unmarked: [] }, NEVER)),
    );
    expect(all.filter(({ promotion }) => promotion !== undefined)).toHaveLength(1);
    expect(all.flatMap(({ problems }) => problems)).toEqual([]);
    expect([...engine.volumes.values()]).toEqual([next]);
  });

  it('is not ended once more by who comes late, where somebody has given a name back since', async () => {
    const earlier = await image('a:latest');
    await engine.tagImage(earlier, 'held:latest');
    const a = await image('new-a:latest');
    const session = await leaveLock([{ name: 'a:latest', imageId: a, previous: earlier }]);
    const remove = engine.removeVolume.bind(engine);
    const seen: unknown[] = [];
    engine.removeVolume = async (volume) => {
      await remove(volume);
      if (volume.name !== 'habitus-promotion') return;
      seen.push(await idOf('a:latest'));
      await engine.tagImage(earlier, 'a:latest');
    };
    const end = (): Promise<unknown> => collect(engine, folder, { session, unmarked: [] }, NEVER);
    await Promise.all([end(), end(), end()]);
    expect(seen).toEqual([a]);
    expect(await idOf('a:latest')).toBe(earlier);
  });

  it('leaves the lock that somebody has taken while its owner was taken for dead', async () => {
    const a = await image('new-a:latest');
    const session = new Session(engine, ['a']);
    const { unlock } = await lockNames(
      engine,
      session,
      [{ name: 'a:latest', imageId: a }],
      { onRecovery: () => undefined },
      NEVER,
    );
    engine.volumes.clear();
    const next = await engine.createVolume('habitus-promotion', labelsOf(newSessionId(), thisProcess()));
    await unlock?.();
    await session.dispose({ force: false, noPrune: false });
    expect([...engine.volumes.values()]).toEqual([next]);
  });
});

describe('locks', () => {
  it('that dead ones have left beside a promotion are removed, too, and those of the living are not', async () => {
    const dead = newSessionId(0);
    await engine.createVolume('habitus-promotion-after-x', labelsOf(dead, DEAD));
    const living = await engine.createVolume('other', labelsOf(newSessionId(), thisProcess()));
    expect(await listHoldings(engine, folder), 'not asked for').toEqual([]);
    const found = await listHoldings(engine, folder, { volumes: true });
    expect(found).toMatchObject([
      { session: dead, life: 'dead', volumes: [{ name: 'habitus-promotion-after-x' }] },
      { life: 'running', volumes: [{ name: 'other' }] },
    ]);
    expect(await collect(engine, folder, { session: dead, unmarked: [] }, NEVER)).toMatchObject({
      volumes: 1,
      problems: [],
    });
    expect([...engine.volumes.values()]).toEqual([living]);
  });

  it('that could not be removed are removed by the end of their session, or told of', async () => {
    const session = new Session(engine, []);
    await session.createVolume('lock', {}, NEVER);
    const remove = engine.removeVolume.bind(engine);
    engine.removeVolume = () => Promise.reject(new EngineError('it is stuck'));
    await expect(session.removeVolume('lock')).rejects.toThrow('it is stuck');
    const removal = { force: false, noPrune: false };
    expect(await session.dispose(removal)).toEqual(['volume lock is left: it is stuck']);
    engine.removeVolume = remove;
    expect(await session.dispose(removal)).toEqual([]);
    expect(engine.volumes.size).toBe(0);
  });

  it('that a session could not remove do not keep it from taking them anew', async () => {
    const session = new Session(engine, []);
    await session.createVolume('lock', { what: 'before' }, NEVER);
    await takeLock({ engine, session }, { name: 'lock', labels: { what: 'now' } }, NEVER);
    expect(engine.volumes.get('lock')?.labels).toMatchObject({ what: 'now', 'habitus.session': session.id });
  });

  it('that are made while somebody stops the build are removed at once', async () => {
    const session = new Session(engine, []);
    const stop = new AbortController();
    const create = engine.createVolume.bind(engine);
    engine.createVolume = (...given) => {
      stop.abort(new Error('enough'));
      return create(...given);
    };
    await expect(session.createVolume('lock', {}, stop.signal)).rejects.toThrow('enough');
    expect(engine.volumes.size).toBe(0);
  });
});

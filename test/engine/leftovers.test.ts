/** What dead sessions have left on real engines: listed, collected by hand and by the next build; their promotions ended. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Journal } from '../../src/core/journal.js';
import { newSessionId, sessionName } from '../../src/core/marks.js';
import { thisProcess, type Owner } from '../../src/core/owner.js';
import type { Engine } from '../../src/core/ports.js';
import { userFolder } from '../../src/core/user-folder.js';
import { connect } from '../../src/engine/connect.js';
import { collectGarbage, listSessions } from '../../src/sessions.js';
import { built } from '../support/build-library.js';
import { buildYml, project, subjects, type Project } from '../support/build-project.js';
import { DEAD, ELSEWHERE, labelsOf } from '../support/dead-owner.js';
import { engines } from '../support/engines.js';
import { NOTHING, TEST_LABEL } from '../support/images.js';
import { NEVER } from '../support/tar.js';

const DAY = 86_400_000;
const FILES = {
  'build.yml': buildYml({ app: ['args: { WHAT: one }'] }),
  Dockerfile: 'FROM busybox:latest\nLABELLED\nARG WHAT\nRUN echo $WHAT > /what\n',
};

describe.each(engines())('on $name', (testEngine) => {
  const [subject] = subjects().filter(({ engine }) => engine.name === testEngine.name);
  const { host } = testEngine;
  let engine: Engine;
  beforeAll(async () => {
    engine = await connect({ host, env: {} }, NEVER);
  });
  afterAll(() => engine.close());

  async function scene(): Promise<Project & { readonly imageId: string }> {
    if (subject === undefined) throw new Error('the engine has no builder');
    const given = await project(testEngine, FILES);
    const { result } = await built(subject, given, {});
    return { ...given, imageId: result.steps[0]?.imageId ?? '' };
  }

  /** A container and a name of a session of this owner, that began so long ago. */
  async function leave(
    { id, imageId }: Project & { imageId: string },
    owner: Owner,
    ago = 0,
  ): Promise<string> {
    const session = newSessionId(Date.now() - ago);
    await engine.tagImage(imageId, sessionName(session, 'app', 0, owner));
    const labels = { ...labelsOf(session, owner), [TEST_LABEL]: id };
    await engine.createContainer(
      { image: imageId, command: ['true'], network: 'none', limits: {}, labels },
      NEVER,
    );
    return session;
  }

  const sessions = async (): Promise<readonly string[]> =>
    (await listSessions({ engine: { host } })).map(({ session }) => session);

  test('gc collects the dead at once, those of other hosts after a day, and no living one', async () => {
    const given = await scene();
    const dead = await leave(given, DEAD);
    const living = await leave(given, thisProcess(), 2 * DAY);
    const [far, old] = [await leave(given, ELSEWHERE), await leave(given, ELSEWHERE, 2 * DAY)];
    expect(await sessions()).toEqual(expect.arrayContaining([living, far]));
    const summary = (await listSessions({ engine: { host } })).find(({ session }) => session === living);
    expect(summary).toMatchObject({ state: 'running', pid: process.pid, containers: 1, images: 1 });
    expect(summary?.bytes).toBeGreaterThan(0);

    const dry = await collectGarbage({ engine: { host }, dryRun: true });
    expect(dry.kept.map(({ session }) => session)).toEqual(expect.arrayContaining([living, far]));
    await collectGarbage({ engine: { host } });
    const left = await sessions();
    expect(left).toEqual(expect.arrayContaining([living, far]));
    expect(left).not.toContain(dead);
    expect(left).not.toContain(old);

    await collectGarbage({ engine: { host }, olderThanMs: 1 });
    expect(await sessions()).not.toContain(far);
    await engine.removeImage(sessionName(living, 'app', 0, thisProcess()));
    expect((await given.images.traces(given.id)).containers).toHaveLength(1);
    for (const { id } of await engine.listContainers(`habitus.session=${living}`))
      await engine.removeContainer(id);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test('the next build collects the dead, and what they had only written down', async () => {
    const given = await scene();
    const marked = await leave(given, DEAD);
    // An image whose name has moved to another one, as after a death between the two.
    const container = await engine.createContainer(
      { image: given.imageId, command: ['true'], network: 'none', limits: {}, labels: {} },
      NEVER,
    );
    await container.commit(given.name('lost'), NEVER);
    await container.remove();
    const lost = await given.images.idOf(given.name('lost'));
    await engine.tagImage(given.imageId, given.name('lost'));
    expect((await given.images.traces(given.id)).dangling).toEqual([
      expect.stringContaining(lost ?? 'no image'),
    ]);
    const written = newSessionId();
    const journal = new Journal(userFolder(process.env), written, engine.info.id, DEAD);
    journal.note({ kind: 'image', id: lost ?? '' });

    if (subject === undefined) throw new Error('the engine has no builder');
    await built(subject, given, {});
    // Another build of this host may have come first, and be at it still.
    await expect.poll(() => given.images.traces(given.id), { timeout: 20_000 }).toEqual(NOTHING);
    const left = await sessions();
    expect([marked, written].filter((session) => left.includes(session))).toEqual([]);
  });

  test('names that a dead one was giving are all given by the next who comes', async () => {
    const given = await scene();
    const session = newSessionId();
    const changes = ['a', 'b'].map((step) => ({ name: given.name(step), imageId: given.imageId }));
    const labels = { ...labelsOf(session, DEAD), 'habitus.promotion': JSON.stringify(changes) };
    // Builds of other tests take this lock, and end this promotion as well as gc does.
    await expect
      .poll(() => engine.createVolume('habitus-promotion', labels), { timeout: 20_000 })
      .toEqual({ name: 'habitus-promotion', labels });
    await engine.tagImage(given.imageId, given.name('a'));
    await collectGarbage({ engine: { host } });
    await expect
      .poll(() => engine.listVolumes(`habitus.session=${session}`), { timeout: 20_000 })
      .toEqual([]);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
    expect(await given.images.idOf(given.name('a'))).toBe(given.imageId);
    expect(await given.images.idOf(given.name('b'))).toBe(given.imageId);
  });
});

/** How final names are given, and taken back, when the engine fails half-way. */
import { setImmediate } from 'node:timers/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EngineError } from '../../src/core/errors.js';
import { Journal, readJournals } from '../../src/core/journal.js';
import { newSessionId } from '../../src/core/marks.js';
import { thisProcess } from '../../src/core/owner.js';
import { promote, type Promotion } from '../../src/core/promote.js';
import { Session } from '../../src/core/session.js';
import { buildRequest } from '../support/build-request.js';
import { labelsOf } from '../support/dead-owner.js';
import { FakeEngine } from '../support/fake-engine.js';
import { NEVER } from '../support/tar.js';

const LABELS = ['a', 'b', 'c'];
const REMOVAL = { force: false, noPrune: false };

/** Refuses to tag what the test says. */
class StubbornEngine extends FakeEngine {
  refuses: (reference: string, name: string) => boolean = () => false;

  late: (reference: string, name: string) => Promise<void> = () => Promise.resolve();

  override async tagImage(reference: string, name: string): Promise<void> {
    await this.late(reference, name);
    if (this.refuses(reference, name)) throw new EngineError(`no ${name} today`);
    return super.tagImage(reference, name);
  }
}

/** A session whose three images are built; `a` and `b` have earlier images under their names. */
async function prepare() {
  const engine = new StubbornEngine();
  const session = new Session(engine, LABELS);
  const image = (tag: string): Promise<string> => {
    const request = buildRequest(tag, ['FROM busybox:latest', `LABEL made=${tag}`]);
    return engine.build(request, () => undefined, new AbortController().signal);
  };
  const earlier = { a: await image('a:latest'), b: await image('b:latest') };
  const promotions: Promotion[] = [];
  for (const label of LABELS) {
    promotions.push({ label, imageId: await image(session.tagOf(label)), name: `${label}:latest` });
  }
  const named = async () =>
    Object.fromEntries(
      await Promise.all(
        LABELS.map(async (label) => [label, (await engine.describeImage(`${label}:latest`))?.id] as const),
      ),
    );
  const run = (before?: ReadonlyMap<string, string>) =>
    promote(
      engine,
      session,
      promotions,
      REMOVAL,
      { onRecovery: () => undefined, ...(before !== undefined && { before }) },
      new AbortController().signal,
    );
  return { engine, session, earlier, promotions, named, run };
}

describe('giving final names', () => {
  it('takes back every name when one cannot be given', async () => {
    const { engine, earlier, named, run } = await prepare();
    engine.refuses = (_, name) => name === 'c:latest';
    await expect(run()).rejects.toThrow('no c:latest today');
    expect(await named()).toEqual({ ...earlier, c: undefined });
  });

  it('takes back what it can, and says which names it could not', async () => {
    const { engine, earlier, promotions, named, run } = await prepare();
    engine.refuses = (id, name) => name === 'c:latest' || (name === 'a:latest' && id === earlier.a);
    await expect(run()).rejects.toThrow('no c:latest today, and a:latest could not be taken back');
    expect(await named()).toEqual({ a: promotions[0]?.imageId, b: earlier.b, c: undefined });
  });

  it('takes back also the names that are given after another has failed', async () => {
    const { engine, earlier, named, run } = await prepare();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    engine.late = (id, name) => (name === 'a:latest' && id !== earlier.a ? gate : Promise.resolve());
    engine.refuses = (id, name) => {
      if (name === 'b:latest' && id !== earlier.b) void setImmediate().then(open);
      return name === 'b:latest' && id !== earlier.b;
    };
    await expect(run()).rejects.toThrow('no b:latest today');
    await gate;
    await setImmediate();
    expect(await named()).toEqual({ ...earlier, c: undefined });
  });

  it('has succeeded also where its lock could not be removed', async () => {
    const { engine, promotions, named, run } = await prepare();
    engine.removeContainer = () => Promise.reject(new EngineError('it stays'));
    expect(await run()).toEqual([]);
    const [a, b, c] = promotions.map(({ imageId }) => imageId);
    expect(await named()).toEqual({ a, b, c });
  });

  it('removes what had the names before, by the names that the session needs no more', async () => {
    const { engine, session, earlier, run } = await prepare();
    expect(await run()).toEqual([]);
    for (const id of Object.values(earlier)) expect(await engine.describeImage(id)).toBeUndefined();
    const left = await engine.listImageNames('127.0.0.1:1/habitus/');
    expect(left.map(({ name }) => name)).toEqual([session.tagOf('c')]);
    const asked: (readonly string[])[] = [];
    engine.findNames = (names) => {
      asked.push(names);
      return Promise.resolve(new Map());
    };
    await session.dispose(REMOVAL);
    expect(asked, 'for the names that may be left').toEqual([[session.tagOf('c')]]);
  });

  it.each([
    ['once where they are what they were before', 1, (earlier: string) => earlier],
    ['again where one has another image by now', 2, () => 'sha256:another'],
  ])('asks for names %s', async (_, looks, idOfA) => {
    const { engine, earlier, promotions, named, run } = await prepare();
    const find = engine.findNames.bind(engine);
    let asked = 0;
    engine.findNames = (names) => {
      asked += 1;
      return find(names);
    };
    const before = new Map([
      ['a:latest', idOfA(earlier.a)],
      ['b:latest', earlier.b],
    ]);
    expect(await run(before)).toEqual([]);
    const [a, b, c] = promotions.map(({ imageId }) => imageId);
    expect(await named()).toEqual({ a, b, c });
    expect(asked).toBe(looks);
    for (const id of Object.values(earlier)) expect(await engine.describeImage(id)).toBeUndefined();
  });

  it('gives names that have been taken since they were as wanted', async () => {
    const { promotions, named, run } = await prepare();
    await run(new Map(promotions.map(({ name, imageId }) => [name, imageId])));
    const [a, b, c] = promotions.map(({ imageId }) => imageId);
    expect(await named()).toEqual({ a, b, c });
  });

  it('takes its turn for one name, too', async () => {
    const { engine, session, promotions } = await prepare();
    const [first] = promotions;
    const other = await engine.createVolume('habitus-promotion', labelsOf(newSessionId(), thisProcess()));
    const create = engine.createVolume.bind(engine);
    const waits = new Promise<void>((resolve) => {
      engine.createVolume = async (...given) => {
        const volume = await create(...given);
        resolve();
        return volume;
      };
    });
    const run = promote(
      engine,
      session,
      first ? [first] : [],
      REMOVAL,
      { onRecovery: () => undefined },
      NEVER,
    );
    await waits;
    expect((await engine.describeImage('a:latest'))?.id).not.toBe(first?.imageId);
    await engine.removeVolume(other);
    expect(await run).toEqual([]);
    expect((await engine.describeImage('a:latest'))?.id).toBe(first?.imageId);
  });

  it('leaves the journal to who comes later, where an image that was replaced could not be removed', async () => {
    const folder = { state: 'on', path: await mkdtemp(join(tmpdir(), 'habitus-promote-')) } as const;
    onTestFinished(() => rm(folder.path, { recursive: true }));
    const { engine, earlier, promotions } = await prepare();
    const id = newSessionId();
    const session = new Session(engine, LABELS, { id, journal: new Journal(folder, id, engine.info.id) });
    const remove = engine.removeImage.bind(engine);
    engine.removeImage = () => Promise.reject(new EngineError('it stays'));
    const problems = await promote(
      engine,
      session,
      promotions,
      REMOVAL,
      { onRecovery: () => undefined },
      NEVER,
    );
    engine.removeImage = remove;
    expect(problems[0]).toBe('the image that was b:latest before is left without a name: it stays');
    expect(await session.dispose(REMOVAL)).toEqual([]);
    const noted = readJournals(folder, engine.info.id).flatMap(({ unmarked }) =>
      unmarked.map((each) => each.id),
    );
    expect(noted).toContain(earlier.b);
  });
});

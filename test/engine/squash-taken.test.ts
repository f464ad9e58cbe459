/** What becomes of a squash when others remove its image, or when it dies before it has given names. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/core/ports.js';
import { Session } from '../../src/core/session.js';
import { readJournals } from '../../src/core/journal.js';
import { squashOne } from '../../src/core/squash-one.js';
import { squashImage } from '../../src/core/squash.js';
import { connect } from '../../src/engine/connect.js';
import { buildRequest } from '../support/build-request.js';
import { engines } from '../support/engines.js';
import { NEVER } from '../support/tar.js';

describe.each(engines())('on $name', ({ host }) => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await connect({ host, env: {} }, NEVER);
  });

  afterAll(async () => {
    await engine.close();
  });

  /** The engine, but for one of its calls. */
  function meddled<K extends keyof Engine>(call: K, replacement: Engine[K]): Engine {
    return new Proxy(engine, {
      get(target, key) {
        if (key === call) return replacement;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  /** The image goes before it gets its name, so many times. */
  function losing(times: number): { readonly engine: Engine; readonly lost: string[] } {
    const lost: string[] = [];
    const holdImage = async (id: string, name: string): Promise<boolean> => {
      if (lost.length < times) {
        lost.push(id);
        expect((await engine.removeNameless([id])).removed).toEqual([id]);
      }
      return engine.holdImage(id, name);
    };
    return { engine: meddled('holdImage', holdImage), lost };
  }

  test('loads it once more, and it has its name', async () => {
    const session = new Session(engine, ['app']);
    const tag = session.tagOf('app');
    try {
      const lines = ['FROM busybox:latest', `RUN echo ${session.id} > /a`, 'RUN rm /a && echo b > /b'];
      await engine.build(buildRequest(tag, lines, { builder: 'classic' }), () => undefined, NEVER);
      const built = await engine.describeImage(tag);
      if (built === undefined) throw new Error(`${tag} was not built`);
      const base = { kind: 'image', reference: 'busybox:latest' } as const;
      const loss = losing(1);
      const { imageId } = await squashImage(
        { scope: 'base', base, built, tag, source: tag },
        loss.engine,
        session,
        NEVER,
      );
      expect(loss.lost).toEqual([imageId]);
      expect(await engine.describeImage(tag)).toMatchObject({ id: imageId });
      await engine.removeNameless([built.id]);
    } finally {
      await session.dispose({ force: true, noPrune: false });
    }
    expect(await engine.describeImage(tag)).toBeUndefined();
  });

  test('is written down before it locks the names, also where it has made nothing', async () => {
    const folder = { state: 'on', path: await mkdtemp(join(tmpdir(), 'habitus-taken-')) } as const;
    const session = new Session(engine, ['app', 'other']);
    const [tag, name] = [session.tagOf('app'), session.tagOf('other')];
    const written: unknown[] = [];
    const createVolume: Engine['createVolume'] = (lock, labels) => {
      written.push(...readJournals(folder, engine.info.id));
      return engine.createVolume(lock, labels);
    };
    try {
      const lines = ['FROM busybox:latest', `RUN echo ${session.id} > /a`];
      await engine.build(buildRequest(tag, lines, { builder: 'classic' }), () => undefined, NEVER);
      const order = {
        stays: { kind: 'base', input: { kind: 'image', reference: 'busybox:latest' } },
        names: [name],
        output: undefined,
      } as const;
      const squash = (reference: string): ReturnType<typeof squashOne> =>
        squashOne(
          { input: { kind: 'image', reference }, ...order },
          {
            connect: () => Promise.resolve(meddled('createVolume', createVolume)),
            folder,
            emit: () => undefined,
            signal: NEVER,
          },
        );
      const { imageId } = await squash(tag);
      // That the first has made an image is written down, too; the second finds it there.
      await engine.tagImage(imageId, tag);
      await engine.removeImage(name);
      written.length = 0;
      expect(await squash(tag)).toMatchObject({ imageId, known: true });
      expect(written).toMatchObject([{ unmarked: [] }]);
      expect(readJournals(folder, engine.info.id)).toEqual([]);
    } finally {
      await session.dispose({ force: true, noPrune: false });
      await rm(folder.path, { recursive: true });
    }
  });
});

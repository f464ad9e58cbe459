/** A squash whose image another session removes, which had made just the same. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/core/ports.js';
import { Session } from '../../src/core/session.js';
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
    const proxy = new Proxy(engine, {
      get(target, key) {
        if (key === 'holdImage') return holdImage;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    return { engine: proxy, lost };
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
      const meddled = losing(1);
      const { imageId } = await squashImage(
        { scope: 'base', base, built, tag, source: tag },
        meddled.engine,
        session,
        NEVER,
      );
      expect(meddled.lost).toEqual([imageId]);
      expect(await engine.describeImage(tag)).toMatchObject({ id: imageId });
      await engine.removeNameless([built.id]);
    } finally {
      await session.dispose({ force: true, noPrune: false });
    }
    expect(await engine.describeImage(tag)).toBeUndefined();
  });
});

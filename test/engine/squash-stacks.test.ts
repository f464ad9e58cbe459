/** Random stacks of layers show the same files on a real engine before and after their squash. */
import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/core/ports.js';
import { Session } from '../../src/core/session.js';
import { squashImage } from '../../src/core/squash.js';
import { connect } from '../../src/engine/connect.js';
import { validateImageArchive } from '../../src/image/validate.js';
import { engines } from '../support/engines.js';
import { archive } from '../support/image-archives.js';
import { EngineApi } from '../support/squash-api.js';
import { difference, listingOf, type Listing } from '../support/squash-listing.js';
import { stackBatches, stackOf, type StackBatch } from '../support/squash-stacks.js';
import { NEVER, streamOf } from '../support/tar.js';

const STACKS = 240;

describe.each(engines())('on $name', ({ host }) => {
  const api = new EngineApi(host);
  let engine: Engine;

  beforeAll(async () => {
    engine = await connect({ host, env: {} }, NEVER);
  });

  afterAll(async () => {
    await engine.close();
  });

  /** All engines load the form of old ones, with its name. */
  const load = (layers: readonly Buffer[], tag: string): Promise<void> =>
    api.load(streamOf(archive({ layers, tag }, 'docker20')));

  async function squashed(batch: StackBatch): Promise<{ before: Listing; after: Listing; wrong: unknown }> {
    const session = new Session(engine, ['stack', 'base']);
    const [tag, base] = [session.tagOf('stack'), session.tagOf('base')];
    try {
      await load(batch.layers, tag);
      if (batch.baseLayers > 0) await load(batch.layers.slice(0, batch.baseLayers), base);
      const before = listingOf(await api.export(tag));
      const built = await engine.describeImage(tag);
      if (built === undefined) throw new Error(`${tag} was not loaded`);
      const plannedBase =
        batch.baseLayers === 0
          ? ({ kind: 'scratch' } as const)
          : ({ kind: 'image', reference: base } as const);
      const request = { scope: 'base', base: plannedBase, built, tag, source: tag } as const;
      const { layers } = await squashImage(request, engine, session, NEVER);
      expect(layers).toBe(batch.baseLayers + 1);
      const { problems } = await validateImageArchive(await api.saveStream(tag), NEVER);
      return { before, after: listingOf(await api.export(tag)), wrong: problems };
    } finally {
      await session.dispose({ force: true, noPrune: false });
    }
  }

  test(`${STACKS} stacks of layers show the same before and after, and the images are sound`, async () => {
    const seed = randomInt(2 ** 31);
    let compared = 0;
    for (const batch of stackBatches(STACKS, seed)) {
      const { before, after, wrong } = await squashed(batch);
      const told = `seed ${seed}, base of ${batch.baseLayers} layers`;
      const changed = difference(only(before), only(after));
      expect(changed, told).toEqual([]);
      expect(wrong, told).toEqual([]);
      compared += new Set([...only(before).keys()].map(stackOf)).size;
      expect(only(before).size).toBeGreaterThan(batch.stacks);
    }
    expect(compared).toBe(STACKS);
  });
});

/** Engines add files of their own to a container. */
function only(listing: Listing): Listing {
  return new Map([...listing].filter(([path]) => stackOf(path) !== undefined));
}

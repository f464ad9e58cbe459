/** Loading a squashed image: what was not there before is not there after a failure, whenever it comes. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { EngineError } from '../../src/core/errors.js';
import type { Engine, ImageDescription } from '../../src/core/ports.js';
import { loadNamed, loadVerified, type Loadable } from '../../src/core/squash-load.js';
import { Gate } from '../support/gate.js';

const ID = 'sha256:new';
const diffIds = ['sha256:a', 'sha256:b'];
const archive: Loadable = {
  size: 3000,
  stream: (signal, onKnown) => {
    const chunks = async function* () {
      yield Buffer.alloc(1000);
      await onKnown({ imageId: ID, diffIds });
      yield Buffer.alloc(2000);
    };
    return Readable.from(chunks(), { objectMode: false, signal });
  },
};

/** An engine with images of these IDs; a load reads its archive, then does what the test says. */
function engineWith(
  load: (images: Map<string, Partial<ImageDescription>>, signal: AbortSignal) => Promise<void> | void,
) {
  const images = new Map<string, Partial<ImageDescription>>();
  const engine = {
    describeImage: (id: string) => Promise.resolve(images.get(id)),
    removeNameless: (ids: readonly string[]) => {
      const removed = ids.filter((id) => images.get(id)?.names?.length === 0 && images.delete(id));
      return Promise.resolve({ removed, failed: new Map<string, unknown>() });
    },
    archives: {
      async loadImages(stream: Readable, signal: AbortSignal) {
        await buffer(stream);
        await load(images, signal);
        signal.throwIfAborted();
      },
    },
  };
  return { images, engine: engine as unknown as Engine };
}

const loaded = { layers: diffIds, names: [] };
const ignored = (): void => undefined;
const watch = { count: ignored, onKnown: ignored };

describe('loading', () => {
  test('gives an image that is known afterwards', async () => {
    const { engine } = engineWith((images) => void images.set(ID, loaded));
    const { signal } = new AbortController();
    const told: string[] = [];
    const onKnown = (id: string): void => void told.push(id);
    const first = await loadVerified(archive, engine, { ...watch, onKnown }, signal);
    expect(told).toEqual([ID]);
    expect(first).toEqual({ imageId: ID, diffIds, known: false });
    expect((await loadVerified(archive, engine, watch, signal)).known).toBe(true);
  });

  test('waits for an engine that has the whole archive when the signal comes, and removes what it made', async () => {
    const sent = new Gate();
    const made = new Gate();
    let cut: boolean | undefined;
    const { engine, images } = engineWith(async (all, signal) => {
      sent.open();
      await made.opened;
      cut = signal.aborted;
      all.set(ID, loaded);
    });
    const controller = new AbortController();
    const loading = loadVerified(archive, engine, watch, controller.signal);
    await sent.opened;
    controller.abort(new Error('stopped'));
    made.open();
    await expect(loading).rejects.toThrow('stopped');
    expect(cut).toBe(false);
    expect(images.size).toBe(0);
  });

  test('cuts an archive that is not sent whole when the signal comes', async () => {
    const { engine, images } = engineWith((all) => void all.set(ID, loaded));
    const controller = new AbortController();
    const stop = (): void => {
      controller.abort(new Error('stopped'));
    };
    await expect(loadVerified(archive, engine, { ...watch, count: stop }, controller.signal)).rejects.toThrow(
      'stopped',
    );
    expect(images.size).toBe(0);
  });

  test('removes what an engine took wrongly or broke off', async () => {
    const { signal } = new AbortController();
    const dead = engineWith((images) => void images.set(ID, { layers: [], names: [] }));
    await expect(loadVerified(archive, dead.engine, watch, signal)).rejects.toThrow(
      'the engine did not take the squashed image sha256:new',
    );
    expect(dead.images.size).toBe(0);
    const broken = engineWith((images) => {
      images.set(ID, loaded);
      throw new EngineError('no space left on device');
    });
    await expect(loadVerified(archive, broken.engine, watch, signal)).rejects.toThrow('no space left');
    expect(broken.images.size).toBe(0);
  });

  test('does not remove an image that was there before', async () => {
    const { engine, images } = engineWith(() => {
      throw new EngineError('broken');
    });
    images.set(ID, loaded);
    const { signal } = new AbortController();
    await expect(loadVerified(archive, engine, watch, signal)).rejects.toThrow('broken');
    expect(images.size).toBe(1);
  });

  test('an engine that does not read to the end has not loaded it', async () => {
    const engine = { archives: { loadImages: (stream: Readable) => Promise.resolve(stream.destroy()) } };
    const { signal } = new AbortController();
    await expect(loadVerified(archive, engine as unknown as Engine, watch, signal)).rejects.toThrow(
      'the engine did not read the squashed image to its end',
    );
  });

  test('does not remove an image that has got a name meanwhile', async () => {
    const { engine, images } = engineWith((all) => {
      all.set(ID, { layers: diffIds, names: ['x:1'] });
      throw new EngineError('broken');
    });
    await expect(loadVerified(archive, engine, watch, new AbortController().signal)).rejects.toThrow(
      'broken',
    );
    expect(images.size).toBe(1);
  });
});

describe('naming', () => {
  /** Each time it is named it is gone, until the last of these answers. */
  function engineThatHolds(...answers: readonly boolean[]) {
    const asked: string[] = [];
    let loads = 0;
    const { engine } = engineWith((images) => {
      loads += 1;
      images.set(ID, loaded);
    });
    const holdImage = (id: string, name: string) => {
      asked.push(`${id} ${name}`);
      return Promise.resolve(answers[asked.length - 1] ?? false);
    };
    return { engine: { ...engine, holdImage }, asked, loads: () => loads };
  }
  const { signal } = new AbortController();

  test('loads once more what another session has removed', async () => {
    const { engine, asked, loads } = engineThatHolds(false, true);
    expect(await loadNamed(archive, 'x:1', engine, watch, signal)).toMatchObject({ imageId: ID });
    expect([asked, loads()]).toEqual([[`${ID} x:1`, `${ID} x:1`], 2]);
  });

  test('gives up where something removes it each time', async () => {
    const { engine, loads } = engineThatHolds();
    await expect(loadNamed(archive, 'x:1', engine, watch, signal)).rejects.toThrow(
      'the squashed image sha256:new is gone right after it was loaded',
    );
    expect(loads()).toBe(3);
  });
});

/** Images of the classic builder, removed: what others were made from stays with its place in the cache, and nothing else does. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuilderEvent, Engine } from '../../src/core/ports.js';
import { connect } from '../../src/engine/connect.js';
import { buildRequest } from '../support/build-request.js';
import { memoryFolder } from '../../src/engine/memory-folder.js';
import { engines } from '../support/engines.js';
import { Images } from '../support/images.js';
import { NEVER } from '../support/tar.js';

const SHARED = ['ENV SHARED=1', 'RUN echo shared > /shared'];

describe.each(engines())('on $name', (given) => {
  const { host } = given;
  let engine: Engine;
  beforeAll(async () => {
    engine = await connect({ host, env: {} }, NEVER);
  });
  afterAll(() => engine.close());

  class Scene {
    readonly id = randomBytes(6).toString('hex');

    tag(name: string): string {
      return `127.0.0.1:1/habitus-removal/${this.id}/${name}:latest`;
    }

    /** @returns the image, and which of the shared instructions were cached */
    async build(
      name: string,
      last = 'RUN echo $NAME',
    ): Promise<{ readonly id: string; readonly cached: readonly string[] }> {
      const own = [`ENV NAME=${name}`, last];
      const lines = ['FROM busybox:latest', `LABEL removal=${this.id}`, ...SHARED, ...own];
      const events: BuilderEvent[] = [];
      const request = buildRequest(this.tag(name), lines, { builder: 'classic' });
      const id = await engine.build(request, (event) => events.push(event), NEVER);
      const cached = events.flatMap((event) =>
        event.type === 'instruction' && event.instruction.state === 'finished' && event.instruction.cached
          ? [event.instruction.text.replace(/^.*\] /, '')]
          : [],
      );
      return { id, cached: cached.filter((text) => SHARED.includes(text)) };
    }

    /** Everything that this image was made from without a name, the nearest first. */
    async made(id: string): Promise<readonly string[]> {
      const { parent = '' } = (await engine.describeImage(id)) ?? {};
      const image = parent === '' ? undefined : await engine.describeImage(parent);
      return image?.names.length === 0 ? [parent, ...(await this.made(parent))] : [];
    }
  }

  async function left(ids: readonly string[]): Promise<readonly string[]> {
    const found = await Promise.all(ids.map((id) => engine.describeImage(id)));
    return found.flatMap((image) => image?.id ?? []);
  }

  test('what another image was made from stays in the cache, by name or by ID', async () => {
    const scene = new Scene();
    const one = await scene.build('one');
    const two = await scene.build('two');
    expect([one.cached, two.cached]).toEqual([[], SHARED]);
    expect(await engine.removeImage(scene.tag('one'))).toBe(true);
    // Its image loses its name.
    await engine.tagImage('busybox:latest', scene.tag('two'));
    const three = await scene.build('three');
    expect(three.cached).toEqual(SHARED);
    expect(await engine.removeImage(two.id)).toBe(true);
    const four = await scene.build('four');
    expect(four.cached).toEqual(SHARED);

    const all = [one.id, two.id, ...(await scene.made(three.id)).slice(1)];
    expect(await left(all)).toEqual(all.slice(2));
    for (const name of ['two', 'three', 'four']) await engine.removeImage(scene.tag(name));
    expect(await left(all)).toEqual([]);
  });

  test('nothing is left when the last images of one parent go at once, whoever removes them', async () => {
    const scene = new Scene();
    const names = ['one', 'two', 'three', 'four'];
    const ids: string[] = [];
    for (const name of names) ids.push((await scene.build(name)).id);
    const made = await Promise.all(ids.map((id) => scene.made(id)));
    const all = [...new Set([...ids, ...made.flat()])];
    expect(await left(all)).toEqual(all);
    // By name, and without one.
    for (const name of names.slice(2)) await engine.tagImage('busybox:latest', scene.tag(name));
    const other = await connect({ host, env: {} }, NEVER);
    try {
      await Promise.all([
        engine.removeImage(scene.tag('one')),
        other.removeImage(scene.tag('two')),
        engine.removeNameless(ids.slice(2, 3)),
        other.removeNameless(ids.slice(3)),
      ]);
    } finally {
      await other.close();
    }
    expect(await left(all)).toEqual([]);
    for (const name of names) await engine.removeImage(scene.tag(name));
  });

  test('of nameless images those go that nothing was made from, however long their IDs are written', async () => {
    const scene = new Scene();
    const { id } = await scene.build('one');
    const [latest = '', ...others] = await scene.made(id);
    expect(others).toHaveLength(3);
    const removed = async (ids: readonly string[]): Promise<readonly string[]> => {
      const removals = await engine.removeNameless(ids, { noPrune: true });
      expect(removals.failed).toEqual(new Map());
      return removals.removed;
    };
    expect(await removed([id, latest, ...others])).toEqual([]);
    await engine.removeImage(scene.tag('one'), { noPrune: true });
    const short = others.map((other) => other.slice('sha256:'.length, 19));
    expect(await removed([...others.toReversed(), 'sha256:0123456789ab'])).toEqual([]);
    expect(await removed([latest, ...short])).toEqual([latest, ...short]);
    expect(await left([id, latest, ...others])).toEqual([]);
  });

  test('an image that somebody holds meanwhile keeps its name', async () => {
    const scene = new Scene();
    const lost: string[] = [];
    for (const name of ['one', 'two', 'three']) {
      const { id } = await scene.build(name);
      await engine.tagImage('busybox:latest', scene.tag(name));
      const held = scene.tag(`held-${name}`);
      const holding = engine.holdImage(id, held);
      const { failed } = await engine.removeNameless([id]);
      expect(failed).toEqual(new Map());
      if ((await holding) && (await engine.describeImage(held))?.id !== id) lost.push(name);
      for (const each of [held, scene.tag(name)]) await engine.removeImage(each);
    }
    expect(lost).toEqual([]);
  });

  test('a build that loses an image of its own in its midst is built once more', async () => {
    const scene = new Scene();
    const lines = ['FROM busybox:latest', ...Array.from({ length: 12 }, (_, index) => `ENV V${index}=1`)];
    const request = buildRequest(scene.tag('one'), lines, { builder: 'classic', noCache: true });
    const warnings: string[] = [];
    // It is mostly too late: the next image has been made by then.
    for (let builds = 0; warnings.length === 0 && builds < 30; builds += 1) {
      const made: string[] = [];
      const removals: Promise<unknown>[] = [];
      await engine.build(
        request,
        (event) => {
          if (event.type === 'warning') warnings.push(event.message);
          if (event.type !== 'made' || warnings.length > 0 || made.push(event.made.id) > 8) return;
          removals.push(new Images(given).remove(event.made.id));
        },
        NEVER,
      );
      await Promise.all(removals);
    }
    expect(new Set(warnings)).toEqual(
      new Set(['An image of an instruction vanished during the build: building once more']),
    );
    await engine.removeImage(scene.tag('one'));
  });

  test('nothing is left of an instruction whose parent goes before its image is made', async () => {
    const scene = new Scene();
    const large = memoryFolder(new Map([['large', randomBytes(40 << 20)]]));
    const lines = ['FROM busybox:latest', `LABEL removal=${scene.id}`, 'COPY large /', 'RUN echo done'];
    const request = buildRequest(scene.tag('one'), lines, {
      builder: 'classic',
      noCache: true,
      context: large,
    });
    // Somebody's image on another base with the same words, which has no name either.
    const foreign = await new Images(given).imported(`LABEL removal=${scene.id}`);
    const warnings: string[] = [];
    const made: string[] = [];
    let removal: Promise<unknown> | undefined;
    await engine.build(
      request,
      (event) => {
        if (event.type === 'warning') warnings.push(event.message);
        if (event.type === 'made') made.push(event.made.id);
        const isCopy = event.type === 'instruction' && / COPY /.test(event.instruction.text);
        if (isCopy) removal ??= engine.removeNameless(made.slice(-1), { noPrune: true });
      },
      NEVER,
    );
    await removal;
    expect(warnings).toEqual(['An image of an instruction vanished during the build: building once more']);
    await engine.removeImage(scene.tag('one'));
    expect(await new Images(given).withLabel(`removal=${scene.id}`)).toEqual([foreign]);
    await engine.removeImage(foreign);
  });

  test('a build that fails removes what it had found in the cache, where nothing else has a use for it', async () => {
    const scene = new Scene();
    const { id } = await scene.build('one');
    const made = await scene.made(id);
    // As somebody leaves them who would have removed them too, but for this build.
    await engine.removeImage(scene.tag('one'), { noPrune: true });
    expect(await left([id, ...made])).toEqual(made);
    await expect(scene.build('one', 'RUN false')).rejects.toThrow('RUN false exited with 1');
    expect(await left(made)).toEqual([]);
  });

  test('an image that a container uses stays without a name', async () => {
    const scene = new Scene();
    const { id } = await scene.build('one');
    const request = { image: id, command: ['true'], network: 'none', limits: {}, labels: {} };
    const container = await engine.createContainer(request, NEVER);
    await engine.tagImage('busybox:latest', scene.tag('one'));
    expect(await engine.removeNameless([id])).toEqual({ removed: [], failed: new Map() });
    expect((await engine.describeImage(id))?.names).toEqual([]);
    expect(await engine.removeImage(id)).toBe(false);
    await container.remove();
    expect(await engine.removeNameless([id])).toEqual({ removed: [id], failed: new Map() });
    await engine.removeImage(scene.tag('one'));
  });
});

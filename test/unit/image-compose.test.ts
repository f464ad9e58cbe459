/** Squashed images: their configs, and the archives by which engines and others learn them. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { composeLoadArchive, type LoadTarget } from '../../src/image/compose.js';
import { composeFullArchive, fullName } from '../../src/image/compose-full.js';
import { rewriteConfig } from '../../src/image/config.js';
import { mergeLayers } from '../../src/image/merged-layer.js';
import { spoolImageArchive } from '../../src/image/spool.js';
import { validateImageArchive } from '../../src/image/validate.js';
import { archive, configOf, diffIds, digest, FORMS, type TestImage } from '../support/image-archives.js';
import { readTar } from '../support/image-reference.js';
import { stacks } from '../support/image-stacks.js';
import { tar, type TarItem } from '../support/image-tar.js';

const { signal } = new AbortController();
const file = (name: string): TarItem => ({ name, type: '0', body: Buffer.from(`content of ${name}`) });
const image: TestImage = {
  layers: [tar([file('base')]), tar([file('a'), file('key')]), tar([file('.wh.key')])],
};
const merged = tar([file('a')]);

const open = (form: (typeof FORMS)[number] = 'containerd', keepBase = false, baseLayers = 1) =>
  spoolImageArchive(Readable.from([archive(image, form)]), { diffIds: diffIds(image), baseLayers }, signal, {
    keepBase,
  });

const text = (bytes: Buffer) => JSON.parse(bytes.toString()) as Record<string, unknown>;

describe('a rewritten config', () => {
  const newDiffId = `sha256:${'1'.repeat(64)}`;
  const built = {
    history: [
      { created: '2020', created_by: 'ADD rootfs /' },
      { created: '2020', created_by: '/bin/sh -c #(nop)  CMD ["bash"]', empty_layer: true },
      {
        created: '2021',
        created_by: 'ENV TOKEN=secret',
        empty_layer: true,
        comment: 'buildkit.dockerfile.v0',
      },
      { created: '2022', created_by: '|1 token=secret /bin/sh -c curl secret', author: 'secret' },
      { created: '2023', created_by: 'something secret', comment: 'secret' },
    ],
  };
  const rewritten = (extra: Record<string, unknown> = {}) =>
    rewriteConfig(configOf({ ...image, config: { ...built, ...extra } }), { baseLayers: 1, newDiffId });

  test('keeps what runs, and as many layers in its history as there are', () => {
    expect(text(rewritten({ variant: 'v8', author: 'me' }))).toEqual({
      architecture: 'amd64',
      variant: 'v8',
      os: 'linux',
      author: 'me',
      created: '2020-01-02T03:04:05.678Z',
      config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: [diffIds(image)[0], newDiffId] },
      history: [
        { created: '2020', created_by: 'ADD rootfs /' },
        { created: '2020', created_by: 'CMD (squashed)', empty_layer: true },
        { created: '2021', created_by: 'ENV (squashed)', empty_layer: true },
        { created: '2022', created_by: 'RUN (squashed)', empty_layer: true },
        { created: '2023', created_by: '(unknown) (squashed)', empty_layer: true },
        { created: '2020-01-02T03:04:05.678Z', created_by: 'habitus squash' },
      ],
    });
  });

  test('has nothing else of the old one', () => {
    const leaks = {
      container_config: 'secret',
      'moby.buildkit.cache.v0': 'secret',
      parent: 'secret',
      docker_version: '1',
    };
    expect(rewritten(leaks)).toEqual(rewritten());
    expect(rewritten(leaks).toString()).not.toContain('secret');
  });

  test('is the same when it is rewritten again', () => {
    const again = rewriteConfig(rewritten(), { baseLayers: 1, newDiffId });
    expect(text(again)).toEqual(text(rewritten()));
  });

  test('has one layer when it is made from scratch, and a history of one when there was none', () => {
    const config = configOf({ ...image, config: { history: undefined, created: undefined } });
    const { rootfs, history } = text(rewriteConfig(config, { baseLayers: 0, newDiffId }));
    expect(rootfs).toEqual({ type: 'layers', diff_ids: [newDiffId] });
    expect(history).toEqual([{ created_by: 'habitus squash' }]);
  });

  test('is refused for a base that is too high', () => {
    expect(() => rewriteConfig(configOf(image), { baseLayers: 4, newDiffId })).toThrow(
      "The image has 3 layers, fewer than its base's 4",
    );
    expect(() => rewriteConfig(Buffer.from('{'), { baseLayers: 0, newDiffId })).toThrow(
      '"the config" of the image archive is not JSON',
    );
  });
});

describe('an archive to load', () => {
  async function compose(target: LoadTarget['store']) {
    await using spooled = await open();
    const load = composeLoadArchive({
      config: spooled.config,
      baseLayers: 1,
      layer: await mergeLayers(spooled),
      target:
        target === 'graphdriver'
          ? { store: target }
          : { store: target, baseDescriptors: spooled.manifest?.layers.slice(0, 1) ?? [] },
    });
    expect(() => load.prediction()).toThrow('The archive was not read to its end');
    const bytes = await buffer(load.stream(signal));
    expect(bytes.length).toBe(load.size);
    expect((await buffer(load.stream(signal))).equals(bytes)).toBe(true);
    return {
      files: readTar(bytes).map(({ entry, body }) => [entry.path, body] as const),
      ...load.prediction(),
    };
  }

  test('has the new layer, the config and names of layers that graphdrivers look up', async () => {
    const { files, imageId, diffIds: ids, config } = await compose('graphdriver');
    expect(files).toEqual([
      ['layer.tar', merged.toString('latin1')],
      ['config.json', config.toString('latin1')],
      ['manifest.json', '[{"Config":"config.json","Layers":["base0","layer.tar"]}]'],
    ]);
    expect(imageId).toBe(digest(config));
    expect(ids).toEqual([diffIds(image)[0], digest(merged)]);
  });

  test("has the base's own descriptors for the containerd store, and no name", async () => {
    const { files, imageId, config } = await compose('containerd');
    const [layer, configFile, manifest, index, layout] = files;
    expect(layer).toEqual(['blobs/layer', merged.toString('latin1')]);
    expect(configFile).toEqual(['blobs/config', config.toString('latin1')]);
    expect(manifest?.[0]).toBe('blobs/manifest');
    await using spooled = await open();
    expect(JSON.parse(manifest?.[1] ?? '')).toMatchObject({
      layers: [
        spooled.manifest?.layers[0],
        { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digest(merged), size: merged.length },
      ],
    });
    expect(imageId).toBe(digest(Buffer.from(manifest?.[1] ?? '', 'latin1')));
    expect(JSON.parse(index?.[1] ?? '')).toMatchObject({ manifests: [{ digest: imageId }] });
    expect(index?.[1]).not.toContain('annotations');
    expect(layout).toEqual(['oci-layout', '{"imageLayoutVersion":"1.0.0"}']);
  });

  test('is refused where the base is not known layer by layer', async () => {
    await using spooled = await open();
    const layer = await mergeLayers(spooled);
    const target: LoadTarget = { store: 'containerd', baseDescriptors: [] };
    expect(() => composeLoadArchive({ config: spooled.config, baseLayers: 1, layer, target })).toThrow(
      'The base has 1 layers, but 0 of its manifest are known',
    );
  });
});

describe('a whole archive', () => {
  test.each(FORMS)('made of the form %s is sound, named, and the same from all', async (form) => {
    await using spooled = await open(form, true);
    const full = await composeFullArchive(
      { archive: spooled, layer: await mergeLayers(spooled), names: ['me/x', 'y:2'] },
      signal,
    );
    const bytes = await buffer(full.stream(signal));
    expect(bytes.length).toBe(full.size);
    const { problems, images } = await validateImageArchive(Readable.from([bytes]), signal);
    expect(problems).toEqual([]);
    expect(images).toEqual([
      {
        configDigest: full.prediction.imageId,
        manifestDigest: full.manifestDigest,
        diffIds: [diffIds(image)[0], digest(merged)],
        tags: ['me/x:latest', 'y:2'],
      },
    ]);
    expect(bytes.toString('latin1')).not.toContain('key');
  });

  test('of random layers is sound, and the same when squashed again', async () => {
    await fc.assert(
      fc.asyncProperty(stacks({ missingParents: false }), async ({ layers: stack, baseLayers }) => {
        const random = { layers: stack.map((items) => tar(items)) };
        const squash = async (bytes: Buffer, ids: readonly string[]) => {
          const expected = { diffIds: ids, baseLayers };
          await using spooled = await spoolImageArchive(Readable.from([bytes]), expected, signal, {
            keepBase: true,
          });
          const full = await composeFullArchive(
            { archive: spooled, layer: await mergeLayers(spooled) },
            signal,
          );
          return { bytes: await buffer(full.stream(signal)), ids: full.prediction.diffIds };
        };
        const once = await squash(archive(random, 'docker28'), diffIds(random));
        expect((await validateImageArchive(Readable.from([once.bytes]), signal)).problems).toEqual([]);
        const twice = await squash(once.bytes, once.ids);
        expect(twice.ids).toEqual(once.ids);
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    ['x:1', 'docker.io/library/x:1'],
    ['me/x:1', 'docker.io/me/x:1'],
    ['localhost/x:1', 'localhost/x:1'],
    ['127.0.0.1:5000/x:1', '127.0.0.1:5000/x:1'],
  ])('gives %s the name %s', (name, full) => {
    expect(fullName(name)).toBe(full);
  });
});

/** Which images have which names: asked in one list, or name by name. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { resolveAddress } from '../../src/engine/address.js';
import { findNames } from '../../src/engine/image-names.js';
import { deleteImage, inspectImage, tagImage } from '../../src/engine/images.js';
import { Transport } from '../../src/engine/transport.js';
import { engines } from '../support/engines.js';
import { FaultProxy, type SeenCall } from '../support/fault-proxy.js';

/** A list has neither the name that nobody has, nor the one that the engine writes in another way. */
const IN_ONE_LIST = ['/images/json', '/images/{id}/json', '/images/{id}/json'];
const NAME_BY_NAME = Array<string>(5).fill('/images/{id}/json');

describe.each(engines())('on $name', (given) => {
  const id = randomBytes(6).toString('hex');
  const names = [
    `127.0.0.1:1/names/${id}:one`,
    `127.0.0.1:1/names/${id}:two`,
    `docker.io/library/${id}:three`,
  ];
  let proxy: FaultProxy;
  let transport: Transport;

  beforeAll(async () => {
    proxy = await FaultProxy.start(given);
    transport = new Transport(await resolveAddress({ host: proxy.engine.host, env: {} }));
  });
  afterEach(async () => {
    for (const name of names) await deleteImage(transport, name);
  });
  afterAll(() => {
    transport.close();
  });

  test.each([
    ['of an engine that has few images: in one list', { store: 'graphdriver', images: 10 }, IN_ONE_LIST],
    ['of an engine that has many: name by name', { store: 'graphdriver', images: 100_000 }, NAME_BY_NAME],
    ['of the containerd store, always: in one list', { store: 'containerd', images: 100_000 }, IN_ONE_LIST],
  ] as const)('%s', async (_, images, shapes) => {
    const { Id: imageId } = (await inspectImage(transport, 'busybox:latest')) ?? {};
    for (const name of names) await tagImage(transport, 'busybox:latest', name);
    const before = proxy.calls.length;
    const found = await findNames(
      transport,
      [`127.0.0.1:1/names/${id}:none`, ...names, 'busybox:latest'],
      images,
    );
    expect(found).toEqual(new Map([...names, 'busybox:latest'].map((name) => [name, imageId])));
    expect(proxy.calls.slice(before).map(({ shape }: SeenCall) => shape)).toEqual(shapes);
  });
});

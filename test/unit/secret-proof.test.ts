/** The proof of a build: what its report tells, and that the report holds no secret itself. */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { LeavingImage, Secret } from '../../src/core/secrets.js';
import { createProof } from '../../src/secrets/proof.js';
import { archive, diffIds, type TestImage } from '../support/image-archives.js';
import { tar } from '../support/image-tar.js';
import { file, TOKEN } from '../support/leak-zoo.js';
import { NEVER } from '../support/tar.js';

const token: Secret = { name: 'token', type: 'env', value: Buffer.from(TOKEN), digest: 'd1' };

function leaving(image: TestImage, names: readonly string[]): LeavingImage {
  const save = () => Promise.resolve(Readable.from([archive(image, 'docker28')]));
  return { step: 'app', imageId: 'sha256:1', names, layers: diffIds(image), baseLayers: 0, save };
}

test('finds a secret in a path, a label and a name, and masks it in the report', async () => {
  const image: TestImage = {
    layers: [tar([file(`srv/${TOKEN}.txt`, `it is ${TOKEN}`)])],
    config: { config: { Labels: { [`of-${TOKEN}`]: 'x' } } },
  };
  const names = [`app:${TOKEN}`];
  const report = await createProof([token], false)({ images: [leaving(image, names)], artifacts: [] }, NEVER);
  expect(report.result).toBe('found');
  expect(report.findings).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'layer', path: ['srv/***.txt'] }),
      expect.objectContaining({ kind: 'label' }),
    ]),
  );
  expect(report.images[0]?.names).toEqual(['app:***']);
  expect(JSON.stringify(report)).not.toContain(TOKEN);
});

test('a value too short to be told from chance is not proven, and nothing is read for it', async () => {
  const image = leaving({ layers: [tar([file('a', 'abc')])] }, ['app']);
  const save = () => Promise.reject(new Error('nobody asked for this'));
  const short: Secret = { ...token, value: Buffer.from('abc') };
  const report = await createProof([short], false)({ images: [{ ...image, save }], artifacts: [] }, NEVER);
  expect(report).toMatchObject({
    result: 'clean',
    secrets: [{ name: 'token', digest: 'd1', provable: false }],
    images: [{ searched: [], notSearched: image.layers }],
    bytes: 0,
  });
});

test('two steps may call different values by one name', async () => {
  const other: Secret = { ...token, value: Buffer.from('another value'), digest: 'd2' };
  const report = await createProof([token, other], false)(
    { images: [leaving({ layers: [tar([file('a', 'another value')])] }, ['app'])], artifacts: [] },
    NEVER,
  );
  expect(report.secrets.map(({ name }) => name)).toEqual(['token', 'token (2)']);
  expect(report.findings).toEqual([expect.objectContaining({ secret: 'token (2)', path: ['a'] })]);
});

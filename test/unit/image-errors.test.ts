/** Images that cannot be squashed are refused with a sentence that names the layer and the entry. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ImageError } from '../../src/image/errors.js';
import { mergeLayers } from '../../src/image/merged-layer.js';
import { listImages, spoolImageArchive, type Expected, type SpoolOptions } from '../../src/image/spool.js';
import {
  archive,
  archiveItems,
  configOf,
  diffIds,
  digest,
  FORMS,
  json,
  type ArchiveForm,
  type TestImage,
} from '../support/image-archives.js';
import { END, tar, type TarItem } from '../support/image-tar.js';

const { signal } = new AbortController();
const file = (name: string, body = Buffer.from(name)): TarItem => ({ name, type: '0', body });
const base = tar([file('base')]);

interface Attempt {
  readonly bytes: Buffer;
  readonly expected: Expected;
  readonly options?: SpoolOptions;
}

async function failure({ bytes, expected, options }: Attempt): Promise<ImageError> {
  try {
    await using spooled = await spoolImageArchive(Readable.from([bytes]), expected, signal, options);
    await mergeLayers(spooled);
  } catch (error) {
    if (error instanceof ImageError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The refusal of an image whose second and last layer is this. */
async function refusal(layer: Buffer, form: ArchiveForm = 'containerd'): Promise<string> {
  const image = { layers: [base, layer] };
  const error = await failure({
    bytes: archive(image, form),
    expected: { diffIds: diffIds(image), baseLayers: 1 },
  });
  expect(error.layer).toBe(2);
  return error.message.replace(digest(layer).slice(0, 19), 'LAYER');
}

const image: TestImage = { layers: [base, tar([file('a')]), tar([file('b')])] };
const expected: Expected = { diffIds: diffIds(image), baseLayers: 1 };
const short = (index: number) => diffIds(image)[index]?.slice(0, 19) ?? '';

describe('a layer is refused for', () => {
  test.each<[string, readonly TarItem[], string]>([
    [
      'a name that leaves it',
      [file('../../etc/passwd')],
      'has an entry that leaves its folder: "../../etc/passwd"',
    ],
    ['an absolute name', [file('/etc/passwd')], 'has an entry with an absolute name: "/etc/passwd"'],
    [
      'a control character',
      [file('a\x1b[31mred')],
      'has an entry with a control character in its name: "a\\x1b[31mred"',
    ],
    [
      'a path that no file can have',
      [file('d/'.repeat(2500))],
      `has an entry with a path over 4095 bytes: "${'d/'.repeat(38)}d..."`,
    ],
    [
      'a name that no file can have',
      [file('n'.repeat(256))],
      `has an entry with a name over 255 bytes: "${'n'.repeat(77)}..."`,
    ],
    ['a whiteout of its parent', [file('d/.wh...')], 'has a whiteout of no name: "d/.wh..."'],
    [
      'a sparse file',
      [file('before'), { name: 'holes', type: 'S' }],
      'cannot be read: bad tar archive at byte 1024: it holds a sparse file, which the engine cannot load (at the entry "holes")',
    ],
    ['a type that nobody knows', [{ name: 'odd', type: 'Z' }], 'has an entry of the unknown type "Z": "odd"'],
    [
      'a hard link into its base',
      [{ name: 'l', type: '1', linkname: 'base' }],
      'has a hard link "l" to "base", which is no file before it in that layer',
    ],
    [
      'a hard link that leaves it',
      [{ name: 'l', type: '1', linkname: '../x' }],
      'has a hard link "l" that leaves the image: "../x"',
    ],
  ])('%s', async (_, items, message) => {
    for (const form of FORMS) expect(await refusal(tar(items), form)).toBe(`Layer 2 of 2 (LAYER) ${message}`);
  });

  test('being cut off inside', async () => {
    expect(await refusal(tar([file('whole'), file('part', Buffer.alloc(5000))]).subarray(0, 3000))).toBe(
      'Layer 2 of 2 (LAYER) cannot be read: bad tar archive at byte 3000: the archive is cut off (after the entry "part")',
    );
  });

  test('nothing of this in a base, which stays as it is', async () => {
    const odd = { layers: [tar([file('/absolute'), file('a\nb')]), tar([file('x')])] };
    await using spooled = await spoolImageArchive(
      Readable.from([archive(odd, 'docker20')]),
      { diffIds: diffIds(odd), baseLayers: 1 },
      signal,
    );
    expect((await mergeLayers(spooled)).stats.entries).toBe(1);
  });
});

describe('an archive is refused', () => {
  test('when it is none', async () => {
    const error = await failure({ bytes: randomBytes(5000).fill('x', 0, 2), expected });
    expect(error.message).toBe('The input is not an image archive');
    expect(error.hint).toBe('Pass what `docker save` writes, or an OCI image layout as a tar file.');
    expect((await failure({ bytes: Buffer.alloc(0), expected })).message).toBe(
      'The input is not an image archive',
    );
  });

  test('when it holds no image', async () => {
    expect((await failure({ bytes: tar([file('README')]), expected })).message).toBe(
      'The archive has neither a manifest.json nor an index.json with an image',
    );
  });

  test('when it holds another image', async () => {
    const other = archive({ layers: [base] }, 'docker28');
    expect((await failure({ bytes: other, expected })).message).toBe(
      'The archive holds another image than the one that was asked for',
    );
  });

  test.each(FORMS)('wherever it is cut off (%s)', async (form) => {
    const bytes = archive(image, form);
    for (let length = 0; length < bytes.length - END.length; length += 512) {
      const { trouble } = await failure({ bytes: bytes.subarray(0, length + 100), expected });
      expect(trouble).toMatch(/^(truncated|corrupt|not-an-image)$/);
    }
  });

  test('when a layer is missing', async () => {
    const items = archiveItems(image, 'docker28').filter(
      ({ name }) => !name.endsWith(diffIds(image)[1]?.slice(7) ?? ''),
    );
    expect((await failure({ bytes: tar(items), expected })).message).toBe(
      `Layer 2 of 3 (${short(1)}) is missing in the image archive`,
    );
  });

  test('when a layer has other content', async () => {
    const swapped = archiveItems(image, 'docker20').map((item) =>
      item.body?.equals(image.layers[1] ?? END) === true ? { ...item, body: tar([file('c')]) } : item,
    );
    expect((await failure({ bytes: tar(swapped), expected })).message).toBe(
      `Layer 2 of 3 (${short(1)}) has other content than its digest says: ${digest(tar([file('c')]))}`,
    );
  });

  test('when a layer is no tar', async () => {
    const swapped = archiveItems(image, 'docker20').map((item) =>
      item.body?.equals(image.layers[1] ?? END) === true ? { ...item, body: json({}) } : item,
    );
    expect((await failure({ bytes: tar(swapped), expected })).message).toBe(
      `Layer 2 of 3 (${short(1)}) is not a tar archive`,
    );
  });

  test('when a layer is cut off inside its compression', async () => {
    const zipped = gzipSync(image.layers[1] ?? END);
    const swapped = archiveItems(image, 'containerd').map((item) =>
      item.body?.equals(zipped) === true ? { ...item, body: zipped.subarray(0, 40) } : item,
    );
    expect((await failure({ bytes: tar(swapped), expected })).message).toBe(
      `Layer 2 of 3 (${short(1)}) is not sound gzip data: unexpected end of file`,
    );
  });

  test('when a layer is compressed in a way that is not known', async () => {
    const zipped = gzipSync(image.layers[1] ?? END);
    const swapped = archiveItems(image, 'containerd').map((item) =>
      item.body?.equals(zipped) === true ? { ...item, body: Buffer.from('28b52ffd00', 'hex') } : item,
    );
    expect((await failure({ bytes: tar(swapped), expected })).message).toBe(
      `Layer 2 of 3 (${short(1)}) is compressed with zstd, which this program cannot read`,
    );
  });

  test('when its config was changed', async () => {
    const config = configOf(image);
    const changed = Buffer.from(config.toString().replace('"sh"', '"su"'));
    const items = archiveItems(image, 'docker28').map((item) =>
      item.body?.equals(config) === true ? { ...item, body: changed } : item,
    );
    expect((await failure({ bytes: tar(items), expected })).message).toBe(
      `"blobs/sha256/${digest(config).slice(7)}" of the image archive has other content than its name says: ${digest(changed)}`,
    );
  });

  test('when a file is in it twice', async () => {
    const items = archiveItems(image, 'docker28');
    expect((await failure({ bytes: tar([...items, ...items.slice(-1)]), expected })).message).toBe(
      'The image archive has the file "oci-layout" twice',
    );
  });

  test('when it unpacks to far more than it should', async () => {
    const bomb = { layers: [base, tar([file('zeros', Buffer.alloc(8 << 20))])] };
    const error = await failure({
      bytes: archive(bomb, 'oci'),
      expected: { diffIds: diffIds(bomb), baseLayers: 1 },
      options: { limit: { floor: 1 << 20, ratio: 100 } },
    });
    expect(error.trouble).toBe('too-large');
    expect(error.message).toMatch(
      /^The image archive unpacks to more than 1048576 bytes and 100 times its size: stopped at blobs\/sha256\/[0-9a-f]{64}$/,
    );
    const whole = await failure({
      bytes: gzipSync(archive(bomb, 'docker28')),
      expected,
      options: { limit: { floor: 1 << 20, ratio: 100 } },
    });
    expect(whole.message).toBe(
      'The image archive unpacks to more than 1048576 bytes and 100 times its size: stopped at the archive itself',
    );
  });

  test('when the base has more layers than the image', async () => {
    const error = await failure({
      bytes: archive(image, 'docker28'),
      expected: { ...expected, baseLayers: 4 },
    });
    expect(error.message).toBe("The image has 3 layers, fewer than its base's 4");
  });
});

describe('reading an archive', () => {
  test('stops with the reason of its signal', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    const endless = new Readable({
      read() {
        this.push(archive(image, 'docker28').subarray(0, 700));
        abort.abort(reason);
      },
    });
    await expect(spoolImageArchive(endless, expected, abort.signal)).rejects.toBe(reason);
    expect(endless.destroyed).toBe(true);
  });

  test('passes the failure of its source on', async () => {
    const reason = new Error('connection lost');
    const source = Readable.from(
      (async function* () {
        yield archive(image, 'docker28').subarray(0, 700);
        await Promise.reject(reason);
      })(),
    );
    await expect(spoolImageArchive(source, expected, signal)).rejects.toBe(reason);
  });

  test('leaves no file with a name', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('.habitus-'));
    await using spooled = await spoolImageArchive(
      Readable.from([archive(image, 'docker20')]),
      expected,
      signal,
    );
    expect(spooled.spool.position).toBeGreaterThan(0);
    const during = readdirSync(tmpdir()).filter(
      (name) => name.startsWith('.habitus-') && !before.includes(name),
    );
    expect(during).toEqual([]);
  });

  test('lists its images', async () => {
    for (const form of FORMS) {
      const [found, ...others] = await listImages(Readable.from([gzipSync(archive(image, form))]), signal);
      expect(others).toEqual([]);
      expect(found).toEqual({
        config: configOf(image),
        configDigest: digest(configOf(image)),
        diffIds: diffIds(image),
        tags: form === 'oci' ? [] : ['test/image:latest'],
      });
    }
  });

  test('finds equal layers wherever they are', async () => {
    const layer = tar([file('same')]);
    const twice = { layers: [layer, base, layer, layer] };
    for (const form of FORMS) {
      await using spooled = await spoolImageArchive(
        Readable.from([archive(twice, form)]),
        { diffIds: diffIds(twice), baseLayers: 1 },
        signal,
      );
      const { stats } = await mergeLayers(spooled);
      expect(stats).toMatchObject({ layersBefore: 3, entriesBefore: 3, entries: 2 });
    }
  });

  test('says what is lost', async () => {
    const attested = { ...image, attestation: true };
    await using spooled = await spoolImageArchive(
      Readable.from([archive(attested, 'containerd')]),
      expected,
      signal,
    );
    expect(spooled.dropped).toEqual([expect.stringMatching(/^the attestation sha256:[0-9a-f]{64}$/)]);
    expect(spooled.manifest?.layers.map(({ size }) => size)).toEqual(
      image.layers.map((layer) => gzipSync(layer).length),
    );
  });
});

/** The validator finds nothing wrong with sound archives, and everything that is wrong with others. */
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateImageArchive } from '../../src/image/validate.js';
import {
  archive,
  archiveItems,
  configOf,
  digest,
  FORMS,
  json,
  type TestImage,
} from '../support/image-archives.js';
import { stacks } from '../support/image-stacks.js';
import { END, tar, type TarItem } from '../support/image-tar.js';

const signal = new AbortController().signal;

async function problems(bytes: Buffer): Promise<readonly string[]> {
  return (await validateImageArchive(Readable.from([bytes]), signal)).problems;
}

const file = (name: string, text = name): TarItem => ({ name, type: '0', body: Buffer.from(text) });
const folder = (name: string): TarItem => ({ name, type: '5', mode: 0o755 });
const base = tar([folder('etc/'), file('etc/passwd'), file('etc/group')]);
const sound: TestImage = {
  layers: [base, tar([folder('etc/'), file('etc/.wh.group', ''), file('etc/hosts')])],
  attestation: true,
};

/** Problems of an image with this one layer. */
async function layerProblems(layer: Buffer): Promise<readonly string[]> {
  const found = await problems(archive({ layers: [layer] }, 'docker20'));
  return found.map((text) => text.replace(/^Layer 1 of 1 \(sha256:[0-9a-f]{12}\) /, ''));
}

describe('a sound archive', () => {
  test.each(FORMS)('of the form %s has no problems', async (form) => {
    const report = await validateImageArchive(Readable.from([archive(sound, form)]), signal);
    expect(report.problems).toEqual([]);
    expect(report.images).toHaveLength(1);
    expect(report.images[0]).toMatchObject({
      configDigest: digest(configOf(sound)),
      diffIds: sound.layers.map(digest),
    });
  });

  test('may be compressed as a whole', async () => {
    expect(await problems(gzipSync(archive(sound, 'docker28')))).toEqual([]);
  });

  test('of random layers has no problems in any form', async () => {
    await fc.assert(
      fc.asyncProperty(
        stacks({ missingParents: true }),
        fc.constantFrom(...FORMS),
        async ({ layers }, form) => {
          expect(await problems(archive({ layers: layers.map((items) => tar(items)) }, form))).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('a corrupt archive', () => {
  test.each(FORMS)('of the form %s is found out wherever a byte is changed', async (form) => {
    const image = { layers: [tar([file('a')]), tar([file('b', 'content')])] };
    const items = archiveItems(image, form).filter(({ name }) => !/^(repositories|.*\/json)$/.test(name));
    const bytes = tar(items);
    // Names that people give are covered by nothing.
    const tag = bytes.indexOf('test/image:latest');
    const free = (at: number) => tag !== -1 && at >= tag && at < tag + 'test/image:latest'.length;
    const missed: number[] = [];
    // Coprime to the block size, so that all parts of blocks get their turn.
    for (let at = 3; at < bytes.length; at += 37) {
      if (free(at)) continue;
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x04;
      if ((await problems(changed)).length === 0) missed.push(at);
    }
    expect(missed).toEqual([]);
  });

  test.each(FORMS)('of the form %s is found out wherever it is cut off', async (form) => {
    const bytes = archive({ layers: [tar([file('a')])] }, form);
    for (let length = 0; length < bytes.length; length += 256) {
      expect(await problems(bytes.subarray(0, length))).not.toEqual([]);
    }
  });

  test('has all its problems told at once', async () => {
    const config = configOf(sound);
    const name = digest(config).slice(7);
    const items = archiveItems(sound, 'docker20').filter(({ name: path }) => !path.endsWith('layer.tar'));
    const wrong = items.map((item) =>
      item.name === `${name}.json` ? { ...item, body: Buffer.concat([config, Buffer.from(' ')]) } : item,
    );
    expect(await problems(tar(wrong))).toEqual([
      `"${name}.json" has other content than its name says: ${digest(Buffer.concat([config, Buffer.from(' ')]))}`,
      `Layer 1 of 2 (${digest(sound.layers[0] ?? END).slice(0, 19)}) is missing: "${digest(Buffer.from('v1 0')).slice(7)}/layer.tar"`,
      `Layer 2 of 2 (${digest(sound.layers[1] ?? END).slice(0, 19)}) is missing: "${digest(Buffer.from('v1 1')).slice(7)}/layer.tar"`,
    ]);
  });

  test('that is none at all is said to be none', async () => {
    expect(await problems(Buffer.from('hello'.repeat(200)))).toEqual(['The input is not an image archive']);
    expect(await problems(tar([file('README')]))).toEqual([
      'The archive has neither a manifest.json nor an index.json with an image',
    ]);
  });

  test('has a history that fits its layers', async () => {
    const config = { history: [{ created_by: 'a' }, { created_by: 'b' }, { created_by: 'c' }] };
    const digestOf = digest(configOf({ ...sound, config }));
    expect(await problems(archive({ ...sound, config }, 'docker28'))).toEqual([
      `The history of the config ${digestOf} has 3 layers instead of 2`,
    ]);
  });

  test('names wrong sizes and media types', async () => {
    const items = archiveItems(sound, 'oci');
    const index = items.find(({ name }) => name === 'index.json');
    const value = JSON.parse(index?.body?.toString() ?? '') as {
      manifests: { digest: string; size: number }[];
    };
    const [manifest] = value.manifests;
    if (manifest) manifest.size += 1;
    const changed = items.map((item) => (item.name === 'index.json' ? { ...item, body: json(value) } : item));
    expect(await problems(tar(changed))).toEqual([
      `"index.json" gives ${manifest?.digest ?? ''} ${manifest?.size ?? 0} bytes instead of ${(manifest?.size ?? 0) - 1}`,
    ]);
  });
});

describe('a layer', () => {
  test.each<[string, Buffer, readonly string[]]>([
    ['has no path twice', tar([file('a'), file('./a')]), ['has the path "a" twice']],
    ['has no folder twice', tar([folder('o'), folder('o/')]), ['has the path "o" twice']],
    [
      'has no file along with its whiteout',
      tar([file('x'), file('.wh.x', '')]),
      ['has both "x" and its whiteout'],
    ],
    ['has folders before what is in them', tar([file('d/x'), folder('d/')]), ['has "d" after what is in it']],
    [
      'has nothing in what is no folder',
      tar([file('d'), file('d/x')]),
      ['has "d" which is no folder, but has something in it'],
    ],
    [
      'has hard links to its own files only',
      tar([{ name: 'l', type: '1', linkname: 'etc/passwd' }]),
      ['has a hard link "l" to "etc/passwd", which is no file before it'],
    ],
    [
      'has nothing after its end',
      tar([file('a')], Buffer.concat([END, Buffer.from('x'.repeat(512))])),
      ['has something after its end'],
    ],
    ['has an end mark', tar([file('a')], Buffer.alloc(0)), ['has no end mark']],
    [
      'has no name that leaves it',
      tar([file('a/../../x')]),
      ['has an entry that leaves its folder: "a/../../x"'],
    ],
    [
      'has no type that engines do not know',
      tar([{ name: 'z', type: 'Z' }]),
      ['has an entry of the unknown type "Z": "z"'],
    ],
  ])('%s', async (_, layer, expected) => {
    expect(await layerProblems(layer)).toEqual(expected);
  });
});

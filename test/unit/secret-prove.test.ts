/** The leak zoo: each way to leave a secret in an image is found and told, and nothing harmless is. */
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { needlesOf } from '../../src/secrets/encodings.js';
import { Matcher } from '../../src/secrets/matcher.js';
import { proveArtifact, proveText } from '../../src/secrets/prove-content.js';
import { DocumentSearch } from '../../src/secrets/prove-documents.js';
import {
  proveImage,
  type ImageFinding,
  type ImageProof,
  type ProofOptions,
} from '../../src/secrets/prove-image.js';
import { spoolArtifact } from '../../src/tar/artifact.js';
import {
  archive,
  archiveItems,
  diffIds,
  digest,
  FORMS,
  type ArchiveForm,
  type TestImage,
} from '../support/image-archives.js';
import { tar, type TarItem } from '../support/image-tar.js';
import { file, HARMLESS, KEY, LEAKS, PASSWORD, SECRETS, TOKEN, type Animal } from '../support/leak-zoo.js';
import { NEVER } from '../support/tar.js';

const matcher = new Matcher(needlesOf(SECRETS).needles);

function imageOf({ layers = [[]], config = {}, history = [], base = [] }: Animal): TestImage {
  const tars = [base, ...layers].map((items) => tar([file('harmless', 'x'), ...items]));
  return {
    layers: tars,
    config: {
      history: tars.map((_, index) => ({ created_by: history[index - 1] ?? `RUN make ${index}` })),
      ...config,
    },
  };
}

async function prove(animal: Animal, form: ArchiveForm, options: ProofOptions = {}): Promise<ImageProof> {
  const image = imageOf(animal);
  const expected = { diffIds: diffIds(image), baseLayers: 1, names: animal.names ?? ['app:latest'] };
  const saved = Readable.from([archive(image, form)]);
  return proveImage(saved, expected, matcher, NEVER, options);
}

function told({ secret, encoding, place }: ImageFinding): string {
  const where = () => {
    switch (place.kind) {
      case 'layer':
        return `${place.number} ${place.path.join(' > ')}`;
      case 'env':
        return place.variable;
      case 'label':
        return place.label;
      case 'history':
        return place.instruction;
      case 'config':
        return place.key;
      case 'name':
        return place.name;
      case 'document':
        return place.path;
    }
  };
  return `${secret}: ${place.kind} ${where()} (${encoding})`;
}

test('the zoo is large enough', () => {
  expect(Object.keys(LEAKS).length).toBeGreaterThanOrEqual(20);
  expect(Object.keys(HARMLESS).length).toBeGreaterThanOrEqual(20);
});

describe.each(FORMS)('in an archive of the form %s', (form) => {
  test.each(Object.entries(LEAKS))('a secret is found in %s', async (_, { found, ...animal }) => {
    const proof = await prove(animal, form);
    expect(proof.findings.map(told).sort()).toEqual([...found].sort());
    expect(proof.limits).toEqual([]);
    const text = JSON.stringify(proof);
    for (const secret of [TOKEN, PASSWORD, ...KEY.split('\n').slice(1, 3)])
      expect(text).not.toContain(secret);
    expect(proveText(text, matcher)).toEqual([]);
  });

  test.each(Object.entries(HARMLESS))('nothing is found in %s', async (_, animal) => {
    const proof = await prove(animal, form);
    expect(proof.findings.map(told)).toEqual([]);
    expect(proof.limits).toEqual([]);
  });
});

describe('the proof of an image', () => {
  const leak: Animal = { layers: [[file('a', TOKEN)]], history: [`RUN echo ${TOKEN} > /a`] };

  test('tells the layer, and the instruction that made it, masked', async () => {
    const [, finding] = (await prove(leak, 'docker28')).findings;
    expect(finding).toEqual({
      secret: 'token',
      encoding: 'plain',
      place: {
        kind: 'layer',
        layer: diffIds(imageOf(leak))[1],
        number: 2,
        instruction: 'RUN echo *** > /a',
        path: ['a'],
      },
    });
  });

  test('finds layers by the history, not by its entries that made none', async () => {
    const image = imageOf(leak);
    const history = [
      { created_by: 'ADD base' },
      { created_by: 'ENV A=1', empty_layer: true },
      { created_by: 'COPY a /' },
    ];
    const { findings } = await prove({ ...leak, config: { ...image.config, history } }, 'docker20');
    expect(findings).toMatchObject([{ place: { instruction: 'COPY a /' } }]);
  });

  test('lists the layers it searched: those of the base only where that is asked', async () => {
    const animal: Animal = { base: [file('etc/key', TOKEN)], layers: [[file('x', 'x')], [file('y', 'y')]] };
    const [base, ...upper] = diffIds(imageOf(animal));
    const proof = await prove(animal, 'containerd');
    expect(proof.layers).toEqual(upper);
    expect(proof.bytes).toBeGreaterThan(2 * 1024);
    const all = await prove(animal, 'containerd', { base: true });
    expect(all.layers).toEqual([base, ...upper]);
    expect(all.findings.map(told)).toEqual(['token: layer 1 etc/key (plain)']);
  });

  test('searches a layer once that the image has twice, or that its base has too', async () => {
    const same: readonly TarItem[] = [file('a', TOKEN)];
    const proof = await prove({ base: same, layers: [same, same] }, 'docker28');
    expect(proof.findings.map(told)).toEqual(['token: layer 2 a (plain)']);
    expect(proof.layers).toHaveLength(1);
  });

  test('finds what only another document of the archive has: provenance tells build args', async () => {
    const image = imageOf({});
    const statement = JSON.stringify({ buildDefinition: { args: { 'build-arg:PASSWORD': PASSWORD } } });
    const name = `blobs/sha256/${digest(Buffer.from(statement)).slice(7)}`;
    const saved = archive(image, 'containerd');
    const more = Buffer.concat([tar([file(name, statement)], Buffer.alloc(0)), saved]);
    const expected = { diffIds: diffIds(image), baseLayers: 1, names: [] };
    const { findings } = await proveImage(Readable.from([more]), expected, matcher, NEVER);
    expect(findings.map(told).sort()).toEqual([
      `password: document ${name} (JSON-escaped)`,
      `password: document ${name} (plain)`,
    ]);
  });

  test('tells in which layer there is what it cannot look into', async () => {
    const { limits } = await prove({ layers: [[file('a.xz', '\xfd7zXZ\0')]] }, 'oci');
    expect(limits).toEqual([]);
    const packed = Buffer.from('\xfd7zXZ\0 and more, and more, and more', 'latin1');
    const animal: Animal = { layers: [[file(`${TOKEN}.xz`, packed)]] };
    const proof = await prove(animal, 'oci');
    expect(proof.limits).toEqual([
      {
        within: ['***.xz'],
        kind: 'unsupported',
        reason: 'it is packed as xz',
        layer: diffIds(imageOf(animal))[1],
      },
    ]);
  });

  test('is refused where the archive is of another image, or lacks a layer', async () => {
    const image = imageOf(leak);
    const saved = () => Readable.from([archive(image, 'docker20')]);
    const other = { diffIds: [digest(Buffer.from('x'))], baseLayers: 0, names: [] };
    await expect(proveImage(saved(), other, matcher, NEVER)).rejects.toThrow(
      'The archive holds another image than the one that was asked for',
    );
    const changed = archive(image, 'docker20');
    const contents = changed.indexOf(Buffer.concat([Buffer.from(TOKEN), Buffer.alloc(9)]));
    changed.write('changed', contents);
    const expected = { diffIds: diffIds(image), baseLayers: 1, names: [] };
    await expect(proveImage(Readable.from([changed]), expected, matcher, NEVER)).rejects.toThrow(
      /^Layer 2 of 2 \(sha256:[0-9a-f]{12}\) has other content than its digest says: sha256:/,
    );
  });

  test('is refused where the archive has the layers of the image in another order', async () => {
    const image = imageOf({ layers: [[file('a', 'a')], [file('b', 'b')]] });
    const items = archiveItems(image, 'docker20').map((item) => {
      if (item.name !== 'manifest.json') return item;
      const [manifest] = JSON.parse(item.body?.toString() ?? '') as { Layers: string[] }[];
      return {
        ...item,
        body: Buffer.from(JSON.stringify([{ ...manifest, Layers: manifest?.Layers.toReversed() }])),
      };
    });
    const expected = { diffIds: diffIds(image), baseLayers: 0, names: [] };
    await expect(proveImage(Readable.from([tar(items)]), expected, matcher, NEVER)).rejects.toThrow(
      /^Layer 1 of 3 \(sha256:[0-9a-f]{12}\) has other content than its digest says: sha256:/,
    );
  });
});

describe('the proof of an artifact', () => {
  const at = { source: '/out', destination: 'lib' };
  const prover = async (items: readonly TarItem[]) => {
    await using artifact = await spoolArtifact(Readable.from([tar(items)]), at, NEVER);
    const { findings, limits } = await proveArtifact(artifact, matcher, NEVER);
    return [
      findings.map(({ secret, within, encoding }) => `${secret}: ${within.join(' > ')} (${encoding})`),
      limits,
    ];
  };

  test('finds secrets in contents, archives, names, link targets and attributes', async () => {
    const found = await prover([
      { name: 'out/', type: '5' },
      file('out/a', `x ${TOKEN}`),
      file('out/b.gz', gzipSync(JSON.stringify(PASSWORD))),
      file('out/c', 'x', { xattrs: { 'user.token': TOKEN } }),
      { name: 'out/d', type: '2', linkname: TOKEN },
      file(`out/${TOKEN}`, TOKEN),
    ]);
    expect(found).toEqual([
      [
        'token: lib/out/a (plain)',
        'password: lib/out/b.gz (JSON-escaped)',
        'token: lib/out/c (plain)',
        'token: lib/out/d (plain)',
        'token: lib/out/*** (plain)',
      ],
      [],
    ]);
  });

  test('finds nothing in what is harmless', async () => {
    expect(await prover([{ name: 'out/', type: '5' }, file('out/token', TOKEN.slice(1))])).toEqual([[], []]);
  });
});

test('a config is searched as it is, too: of two keys of one name, programs read either', () => {
  const search = new DocumentSearch(matcher);
  search.config(Buffer.from(`{"config":{"Env":["TOKEN=${TOKEN}"],"Env":[]}}`));
  expect(search.findings).toEqual([
    { secret: 'token', encoding: 'plain', place: { kind: 'config', key: '' } },
  ]);
});

test('a document of any depth is searched', () => {
  const search = new DocumentSearch(matcher);
  const deep = 100_000;
  search.config(Buffer.from(`${'['.repeat(deep)}"${Buffer.from(TOKEN).toString('hex')}"${']'.repeat(deep)}`));
  expect(search.findings).toHaveLength(1);
});

test('a text is searched in all encodings', () => {
  expect(proveText('nothing', matcher)).toEqual([]);
  expect(proveText(`{"auth":"${Buffer.from(TOKEN).toString('base64')}"}, ${TOKEN}`, matcher)).toEqual([
    { secret: 'token', encoding: 'base64' },
    { secret: 'token', encoding: 'plain' },
  ]);
});

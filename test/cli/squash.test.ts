/** `habitus squash` and `habitus check-image` on real engines: the same files, fewer layers, and nothing left behind. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { habitus, start, type Ended } from '../support/build-program.js';
import { engines, type TestEngine } from '../support/engines.js';
import { archive } from '../support/image-archives.js';
import { tar } from '../support/image-tar.js';
import { Images, NOTHING, TEST_LABEL } from '../support/images.js';
import { EngineApi } from '../support/squash-api.js';
import { difference, listingOf, type Listing } from '../support/squash-listing.js';

const BASE = 'busybox:latest';

/** Files that are deleted, overwritten, re-moded, linked and hidden above the base, and in it. */
const STEPS = [
  'mkdir -p /d/sub && echo secret-word > /d/key && ln /d/key /d/hard && echo one > /d/over',
  'rm /d/key && echo two > /d/over && chmod 4755 /d/over && rm /bin/wget',
  'rm -r /d/sub && mkdir /d/sub && chown 33:33 /d/sub && ln -s /gone /d/link && touch "/d/ü b"',
];

interface Given {
  readonly id: string;
  readonly engine: TestEngine;
  readonly api: EngineApi;
  readonly images: Images;
  /** A folder that is removed afterwards. */
  readonly folder: string;
  /** `habitus.invalid/<id>/x:latest` */
  readonly name: (x: string) => string;
  /** Lines of the engine about what the squash should not have left. */
  readonly traces: () => Promise<unknown>;
}

async function given(engine: TestEngine): Promise<Given> {
  const id = randomBytes(6).toString('hex');
  const folder = await mkdtemp(join(tmpdir(), 'habitus-squash-'));
  const images = new Images(engine);
  atEnd(async () => {
    await images.clear(id);
    await rm(folder, { recursive: true, force: true });
  });
  const api = new EngineApi(engine.host);
  const name = (x: string): string => `habitus.invalid/${id}/${x}:latest`;
  return { engine, id, api, images, folder, name, traces: () => images.traces(id) };
}

/** The same with an image `app`. */
async function withApp(engine: TestEngine): Promise<Given> {
  const made = await given(engine);
  const runs = STEPS.map((step) => `RUN ${step}`);
  const label = `LABEL ${TEST_LABEL}=${made.id}`;
  const dockerfile = [`FROM ${BASE}`, ...runs, 'ENV A=b', 'CMD ["sh","-c","id"]', label, ''].join('\n');
  const context = tar([{ name: 'Dockerfile', type: '0', body: Buffer.from(dockerfile) }]);
  const build = async (): Promise<string> =>
    (await made.api.bytes('POST', `/build?t=${made.name('app')}&rm=1`, Readable.from([context]))).toString();
  let said = await build();
  // Other tests prune images of this engine, which takes a builder's lease.
  if (said.includes('lease does not exist')) said = await build();
  expect(said).not.toContain('errorDetail');
  return made;
}

/** What engines put into every container, and folders that change by it. */
const OF_CONTAINERS =
  /^(?:|\.dockerenv|(?:dev|proc|sys)(?:\/.*)?|etc(?:\/(?:hosts|hostname|resolv\.conf|mtab))?)$/;

async function listing({ api }: Pick<Given, 'api'>, image: string): Promise<Listing> {
  const all = listingOf(await api.export(image));
  return new Map([...all].filter(([path]) => !OF_CONTAINERS.test(path)));
}

function succeeded(ended: Ended): Ended {
  expect(ended, ended.stderr).toMatchObject({ code: 0, leftInTmp: [] });
  return ended;
}

describe.each(engines())('on $name', (engine) => {
  let shared: Given;
  let before: Listing;
  beforeAll(async () => {
    shared = await withApp(engine);
    before = await listing(shared, shared.name('app'));
  });

  test.each([
    ['nothing said', [], 1],
    ['--from scratch', ['--from', 'scratch'], 1],
    ['--from a number', ['--from', '2'], 3],
    ['--from the base', ['--from', BASE], 2],
  ])('with %s the files are the same and the layers fewer', async (what, from, layers) => {
    const { api, name, images } = shared;
    const result = name(what.replaceAll(/\W+/g, '-').replace(/^-/, ''));
    const ended = succeeded(await habitus(engine, ['squash', name('app'), ...from, '-t', result, '--json']));
    expect(difference(before, await listing(shared, result))).toEqual([]);
    const told = JSON.parse(ended.stdout) as Record<string, unknown>;
    const original = await api.layersOf(name('app'));
    expect(told).toMatchObject({ layersBefore: original.length, layersAfter: layers, names: [result] });
    expect(told['imageId']).toBe(await images.idOf(result));
    const after = await api.layersOf(result);
    expect(after).toHaveLength(layers);
    expect(after.slice(0, -1)).toEqual(original.slice(0, layers - 1));
    expect((await images.inspect(result))?.Config).toMatchObject({
      Env: expect.arrayContaining(['A=b']) as unknown,
    });
    expect(
      (await api.history(result)).filter(({ CreatedBy }) => CreatedBy === 'habitus squash'),
    ).toHaveLength(1);
    expect(await shared.traces()).toEqual(NOTHING);
    succeeded(await habitus(engine, ['check-image', result]));
  });

  test('what was deleted is in no layer, and the original is as it was', async () => {
    const { api, name, images } = shared;
    const id = await images.idOf(name('app'));
    succeeded(
      await habitus(engine, ['squash', name('app'), '--from', BASE, '-t', name('a'), '-t', name('b')]),
    );
    expect(await images.idOf(name('a'))).toBe(await images.idOf(name('b')));
    expect(await images.idOf(name('app'))).toBe(id);
    const { files } = await api.saved(name('a'));
    const unpack = (body: Buffer): Buffer => (body[0] === 0x1f ? gunzipSync(body) : body);
    const blobs = Buffer.concat([...files.values()].map(unpack));
    expect(blobs.includes('d/over')).toBe(true);
    expect(blobs.includes('d/key')).toBe(false);
    expect(blobs.includes('.wh.wget')).toBe(true);
  });

  test('squashing again gives the same image, and loads nothing', async () => {
    const { name, images } = shared;
    const squash = (image: string, ...to: string[]) =>
      habitus(engine, ['squash', image, '--from', BASE, ...to]);
    succeeded(await squash(name('app'), '-t', name('once')));
    const id = await images.idOf(name('once'));
    const ended = succeeded(await squash(name('once')));
    expect(await images.idOf(name('once'))).toBe(id);
    expect(ended.stderr).toContain('  the engine had this image already\n');
    expect(ended.stderr).not.toContain('loaded into');
    succeeded(await squash(name('app'), '-t', name('twice')));
    expect(await images.idOf(name('twice'))).toBe(id);
  });

  test("without -t the image's own name moves, and the old image goes with its last name", async () => {
    const own = await withApp(engine);
    const { images, name, api } = own;
    const old = await images.idOf(name('app'));
    const ended = succeeded(await habitus(engine, ['squash', name('app')]));
    expect(await api.layersOf(name('app'))).toHaveLength(1);
    expect(await images.inspect(old ?? '')).toBeUndefined();
    expect(ended.stderr).toContain(`removed ${old?.slice(7, 19) ?? ''}, which had no other name\n`);
    expect(await own.traces()).toEqual(NOTHING);
    expect(difference(before, await listing(own, name('app')))).toEqual([]);
  });

  test('an old image that has another name stays', async () => {
    const { images, name } = shared;
    await images.tag(name('app'), name('kept'));
    await images.tag(name('app'), name('moved'));
    succeeded(await habitus(engine, ['squash', name('moved')]));
    expect(await images.idOf(name('kept'))).toBe(await images.idOf(name('app')));
    expect(await images.idOf(name('moved'))).not.toBe(await images.idOf(name('app')));
  });

  test('an ID needs a name for the result', async () => {
    const { images, name } = shared;
    const id = (await images.idOf(name('app'))) ?? '';
    const { code, stderr } = await habitus(engine, ['squash', id]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        `error: "${id}" is no name that could move to the squashed image\n` +
        '  → Give the result a name with -t NAME, or write it to a file with --output FILE.tar.\n',
    });
    succeeded(await habitus(engine, ['squash', id, '-t', name('by-id')]));
    expect(difference(before, await listing(shared, name('by-id')))).toEqual([]);
  });

  test('an archive is sound and loads on every engine', async () => {
    const { name, folder } = shared;
    const file = join(folder, 'out.tar');
    succeeded(
      await habitus(engine, [
        'squash',
        name('app'),
        '--from',
        BASE,
        '--output',
        file,
        '-t',
        name('x'),
        '-t',
        name('y'),
      ]),
    );
    expect((await readdir(folder)).filter((each) => each.includes('out'))).toEqual(['out.tar']);
    expect(succeeded(await habitus(engine, ['check-image', file])).stdout).toContain('✓ sound: 1 image\n');
    for (const other of engines()) {
      const api = new EngineApi(other.host);
      await api.load(Readable.from([await readFile(file)]));
      atEnd(() => Promise.all([api.remove(name('x')), api.remove(name('y'))]));
      expect(difference(before, await listing({ api }, name('x')))).toEqual([]);
      expect(await api.layersOf(name('y'))).toHaveLength(2);
    }
  });

  test('an archive that another engine saved is squashed and loaded here', async () => {
    const file = join(shared.folder, 'saved.tar');
    for (const other of engines()) {
      const there = await withApp(other);
      await writeFile(file, await there.api.save(there.name('app')));
      const result = shared.name(`from-${other.name}`);
      atEnd(() => shared.images.remove(result));
      const { stderr } = succeeded(await habitus(engine, ['squash', file, '--from', BASE, '-t', result]));
      expect(await shared.api.layersOf(result), stderr).toHaveLength(2);
      const files = await listing(there, there.name('app'));
      expect(difference(files, await listing(shared, result))).toEqual([]);
      await shared.images.remove(result);
    }
    expect(await shared.traces()).toEqual(NOTHING);
  });

  test.each(['read', 'merge', 'load', 'write'])('Ctrl-C in the phase "%s" leaves nothing', async (phase) => {
    const own = await given(engine);
    const { name, api, images, folder } = own;
    const big = tar([{ name: 'big', type: '0', body: randomBytes(40_000_000) }]);
    const config = { config: { Labels: { [TEST_LABEL]: own.id } } };
    await api.load(
      Readable.from([archive({ layers: [big, tar([])], tag: name('big'), config }, 'docker20')]),
    );
    const id = await images.idOf(name('big'));
    const to = phase === 'write' ? ['--output', join(folder, 'x.tar')] : ['-t', name('small')];
    const program = await start(engine, ['squash', name('big'), ...to, '--progress', 'json']);
    await program.said(`"type":"phase-started","phase":"${phase}"`);
    program.child.kill('SIGINT');
    const ended = await program.ended;
    expect(ended, ended.stderr).toMatchObject({ code: 130, leftInTmp: [] });
    expect(ended.stderr).toContain('"message":"error: stopped by SIGINT"');
    expect(await own.traces()).toEqual(NOTHING);
    expect(await images.idOf(name('small'))).toBeUndefined();
    expect(await images.idOf(name('big'))).toBe(id);
    expect(await readdir(folder)).toEqual([]);
  });

  test('wrong images and bases are said, and nothing is changed', async () => {
    const { name, folder, api } = shared;
    await writeFile(join(folder, 'no.tar'), 'x'.repeat(2000));
    const layers = await api.layersOf(name('app'));
    const other = archive({ layers: [tar([{ name: 'f', type: '0' }])] }, 'docker28');
    await writeFile(join(folder, 'other.tar'), other);
    const foreign = JSON.parse(
      (await habitus(engine, ['check-image', join(folder, 'other.tar'), '--json'])).stdout,
    ) as {
      images: { layers: { diffId: string }[] }[];
    };
    const short = (diffId = ''): string => diffId.slice(0, 19);
    const cases: [string[], string][] = [
      [
        ['habitus.invalid/none'],
        'error: there is no image "habitus.invalid/none" on the engine\n  → Fetch it first: docker pull habitus.invalid/none\n',
      ],
      [
        [name('app'), '--from', './other.tar'],
        `error: "./other.tar" is no base of "${name('app')}": layer 1 is ${short(foreign.images[0]?.layers[0]?.diffId)}, ` +
          `but ${short(layers[0])} in "${name('app')}"\n` +
          '  → Was the base updated since? Give the version it was built on, or the number of layers to keep.\n',
      ],
      [
        [name('app'), '--from', name('app')],
        `error: there is nothing to squash: all ${layers.length} layers of "${name('app')}" are to stay\n` +
          '  → Name a lower base with --from, or squash all layers into one with "--from scratch".\n',
      ],
      [
        [name('app'), '--from', '9'],
        `error: "${name('app')}" has ${layers.length} layers, so 9 cannot stay\n` +
          `  → Give a number below ${layers.length}, or a base image.\n`,
      ],
      [
        [BASE, '--from', name('app'), '-t', name('never')],
        `error: "${name('app')}" is no base of "${BASE}": it has ${layers.length} layers, and "${BASE}" only 1\n` +
          '  → Was the base updated since? Give the version it was built on, or the number of layers to keep.\n',
      ],
      [
        ['./no.tar', '-t', name('never')],
        'error: "./no.tar" cannot be read: the input is not an image archive\n' +
          '  → Pass what `docker save` writes, or an OCI image layout as a tar file.\n',
      ],
    ];
    const id = await shared.images.idOf(name('app'));
    for (const [args, message] of cases) {
      const { code, stderr } = await habitus(engine, ['squash', ...args, '--progress', 'quiet'], {
        cwd: folder,
      });
      expect({ code, stderr }).toEqual({ code: 2, stderr: message });
    }
    expect(await shared.images.idOf(name('app'))).toBe(id);
    expect(await shared.images.idOf(name('never'))).toBeUndefined();
    expect(await shared.traces()).toEqual(NOTHING);
  });
});

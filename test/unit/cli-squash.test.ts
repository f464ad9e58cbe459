/** The commands on single images without an engine: what they write and print, and files that are wrong. */
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../../src/cli/world.js';
import { runOffline } from '../support/cli-offline.js';
import { archive, archiveItems, FORMS } from '../support/image-archives.js';
import { tar, tarItem } from '../support/image-tar.js';

const file = (name: string, body: Buffer = Buffer.from(name)) => ({ name, type: '0' as const, body });
const image = {
  layers: [tar([file('base')]), tar([file('a'), file('key')]), tar([file('.wh.key')])],
  tag: 'app:1',
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'habitus-cli-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const run = (args: readonly string[], more: Partial<World> = {}) => runOffline(folder, args, more);

async function put(name: string, bytes: Buffer = archive(image, 'docker28')): Promise<string> {
  await writeFile(join(folder, name), bytes);
  return join(folder, name);
}

describe('the command line', () => {
  test.each(['squash', 'check-image', 'prove'])('of %s has a help text of its own', async (command) => {
    const { code, out } = await run([command, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^Usage: habitus ${command} IMAGE `));
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(88);
  });
});

describe('squash of a file', () => {
  test.each(
    FORMS.flatMap((form) => [
      { form, pack: (bytes: Buffer) => bytes, how: 'plain' },
      { form, pack: (bytes: Buffer) => gzipSync(bytes), how: "gzip'd" },
    ]),
  )('of the form $form, $how, writes a sound file, without an engine', async ({ form, pack }) => {
    const attested = { ...image, attestation: form === 'containerd' };
    const input = await put('in.tar', pack(archive(attested, form)));
    const { code, out, err } = await run([
      'squash',
      input,
      '--from',
      '1',
      '--output',
      join(folder, 'out.tar'),
    ]);
    expect({ code, out }, err).toEqual({ code: 0, out: '' });
    expect(err).toContain('✓ squashed in.tar in <time>: 3 layers → 2, ');
    expect(err).toContain(', 1 path removed\n  out.tar  <hex>\n  its lowest layer stayed, 2 became one\n');
    expect(err.includes('  note: not kept: the attestation sha256:<hex>\n')).toBe(form === 'containerd');
    expect(await readdir(folder)).toEqual(['in.tar', 'out.tar']);
    expect((await readFile(join(folder, 'out.tar'))).includes('key')).toBe(false);
    expect(await run(['check-image', join(folder, 'out.tar')])).toMatchObject({ code: 0 });
  });

  test('goes to standard output with -', async () => {
    const input = await put('in.tar');
    const stdout = new PassThrough();
    const [{ code, err }, bytes] = await Promise.all([
      run(['squash', input, '-o', '-'], { openStdout: () => stdout }).then((said) => {
        stdout.end();
        return said;
      }),
      buffer(stdout),
    ]);
    expect(code, err).toBe(0);
    expect(await run(['check-image', await put('x.tar', bytes)])).toMatchObject({ code: 0 });
    expect(err).toContain(
      '  app:1  <hex>\n  all its layers became one; "--from BASE" keeps those of a base shared\n',
    );
  });

  test('does not write to a terminal', async () => {
    const input = await put('in.tar');
    const said = await run(['squash', input, '-o', '-'], { stdout: { write: () => true, isTTY: true } });
    expect(said).toMatchObject({ code: 2 });
    expect(said.err).toContain('error: an image archive is not for a terminal\n');
  });

  test('may have a base that is a file, and replace itself', async () => {
    const input = await put('in.tar');
    const base = await put('base.tar', archive({ layers: image.layers.slice(0, 2) }, 'docker20'));
    const { code, err } = await run(['squash', input, '--from', base, '--output', input]);
    expect(code, err).toBe(0);
    expect(err).toContain('its 2 lowest layers stayed, the one above was written anew\n');
    expect(await run(['check-image', input])).toMatchObject({ code: 0 });
  });

  test('with a name and no output needs an engine', async () => {
    const said = await run(['squash', await put('in.tar'), '-t', 'x']);
    expect(said).toMatchObject({ code: 3 });
  });

  test('without a name and an output says what is missing', async () => {
    const { code, err } = await run(['squash', await put('in.tar'), '--progress', 'quiet']);
    expect({ code, err }).toEqual({
      code: 2,
      err:
        'error: it is not said where the squashed image of "in.tar" goes\n' +
        '  → Write it to a file with --output FILE.tar, or load it into the engine with -t NAME.\n',
    });
  });

  test('of a symlink as output keeps the link', async () => {
    const input = await put('in.tar');
    await put('real.tar', Buffer.from('old'));
    await symlink('real.tar', join(folder, 'link.tar'));
    expect(await run(['squash', input, '-o', join(folder, 'link.tar')])).toMatchObject({ code: 0 });
    expect((await readFile(join(folder, 'real.tar'))).length).toBeGreaterThan(1024);
    expect(await readdir(folder)).toEqual(['in.tar', 'link.tar', 'real.tar']);
  });
});

describe('a wrong input', () => {
  const layered = (layer: Buffer) => archive({ layers: [layer] }, 'containerd');
  const twoImages = (): Buffer => {
    const items = [image, { layers: [tar([file('z')])], tag: 'z:1' }].map((each) =>
      archiveItems(each, 'docker20'),
    );
    const manifests = items
      .flat()
      .filter(({ name }) => name === 'manifest.json')
      .flatMap(({ body }) => JSON.parse(body?.toString() ?? '[]') as unknown[]);
    const files = new Map(items.flat().map((item) => [item.name, item]));
    return tar([
      ...[...files.values()].filter(({ name }) => name !== 'manifest.json'),
      file('manifest.json', Buffer.from(JSON.stringify(manifests))),
    ]);
  };

  /** A file of 1.4 GB of zeros in 1.4 MB. */
  const bomb = (): Buffer => {
    const zeros = gzipSync(Buffer.alloc(100_000_000));
    const start = tarItem(file('big', Buffer.alloc(0)));
    start.write((1_400_000_000).toString(8).padStart(11, '0'), 124, 'latin1');
    start.fill(' ', 148, 156);
    const sum = start.reduce((total, byte) => total + byte, 0);
    start.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return Buffer.concat([gzipSync(start), ...Array.from({ length: 14 }, () => zeros)]);
  };
  test.each<[string, () => Buffer, string]>([
    ['nothing', () => Buffer.alloc(0), '"in.tar" cannot be read: the input is not an image archive'],
    [
      'a text',
      () => Buffer.from('hello '.repeat(500)),
      '"in.tar" cannot be read: the input is not an image archive',
    ],
    [
      'a tar of something else',
      () => tar([file('README')]),
      '"in.tar" cannot be read: the archive has neither a manifest.json nor an index.json with an image',
    ],
    [
      'the beginning of an archive',
      () => archive(image, 'docker28').subarray(0, 3000),
      '"in.tar" cannot be read: the image archive is damaged: Bad tar archive at byte 3000: the archive is cut off',
    ],
    [
      'half a gzip file',
      () => gzipSync(archive(image, 'docker28')).subarray(0, 500),
      '"in.tar" cannot be read: the image archive is not sound gzip data: unexpected end of file',
    ],
    [
      'a gzip bomb',
      bomb,
      '"in.tar" cannot be read: the image archive unpacks to more than 1073741824 bytes and 100 times its size: stopped at the archive itself',
    ],
    [
      'a name that leaves the image',
      () => layered(tar([file('../../etc/passwd')])),
      '"in.tar" cannot be squashed: layer 1 of 1 (sha256:<hex>) has an entry that leaves its folder: "../../etc/passwd"',
    ],
    [
      'a sparse file',
      () => layered(tar([{ name: 'holes', type: 'S' }])),
      '"in.tar" cannot be squashed: layer 1 of 1 (sha256:<hex>) cannot be read: bad tar archive at byte 0: it holds a sparse file, which the engine cannot load (at the entry "holes")',
    ],
    ['two images', twoImages, '"in.tar" holds 2 images: app:1 and z:1'],
  ])('%s is told and leaves nothing', async (_, bytes, message) => {
    const input = await put('in.tar', bytes());
    const { code, err } = await run(['squash', input, '-o', join(folder, 'out.tar'), '--progress', 'quiet']);
    expect(err.split('\n')[0]).toBe(`error: ${message}`);
    expect(code).toBe(2);
    expect(await readdir(folder)).toEqual(['in.tar']);
  });

  test.each([
    ['none.tar', '"none.tar" cannot be read: there is no such file'],
    ['.', '"." is a folder'],
  ])('%s is told', async (name, message) => {
    const path = name === '.' ? `${folder}/.` : join(folder, name);
    const { code, err } = await run(['check-image', path]);
    expect(code).toBe(2);
    expect(err).toContain(`error: ${message}\n`);
  });

  test.each([
    ['a folder', '.', 'is a folder'],
    ['a device', '/dev/null', 'is no ordinary file'],
    ['a missing folder', 'no/out.tar', 'is in a folder that does not exist'],
  ])('an output that is %s is told before anything is read', async (_, path, why) => {
    const { code, err } = await run([
      'squash',
      join(folder, 'none.tar'),
      '-o',
      path.startsWith('/') ? path : join(folder, path),
    ]);
    expect(code).toBe(2);
    expect(err).toContain(` ${why}\n`);
  });

  test('an output on a full disk leaves nothing and exits with 1', async () => {
    const error = Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write' });
    const full = new Writable({
      write(_chunk, _encoding, done) {
        done(error);
      },
    });
    const { code, err } = await run(['squash', await put('in.tar'), '-o', '-'], { openStdout: () => full });
    expect({ code, error: err.slice(err.indexOf('error:')) }).toEqual({
      code: 1,
      error:
        'error: standard output could not be written: ENOSPC\n  → Nothing was left; the image is as it was.\n',
    });
  });
});

describe('check-image', () => {
  test('tells layers, entries, sizes and digests of a sound archive', async () => {
    const { code, out } = await run(['check-image', await put('in.tar')]);
    expect({ code, out }).toEqual({
      code: 0,
      out: [
        'app:1: 3 layers, 4 entries, 7.2 kB unpacked',
        '  config    sha256:<hex>',
        '  manifest  sha256:<hex>',
        '  layer 1   sha256:<hex>  2.0 kB, 1 entry',
        '  layer 2   sha256:<hex>  3.1 kB, 2 entries',
        '  layer 3   sha256:<hex>  2.0 kB, 1 entry',
        '✓ sound: 1 image',
        '',
      ].join('\n'),
    });
  });

  test('prints each problem on a line and exits with 1', async () => {
    const bytes = archive(image, 'docker28');
    bytes.write('B', bytes.indexOf('base\0', 600) + 512, 'latin1');
    const { code, out } = await run(['check-image', await put('in.tar', bytes)]);
    expect(code).toBe(1);
    expect(out).toMatch(/^problem: /);
    expect(out).toMatch(/✗ not sound: \d+ problems?\n$/);
  });

  test('--json prints the whole result', async () => {
    const { code, out } = await run(['check-image', await put('in.tar', Buffer.alloc(2000, 'no')), '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      sound: false,
      problems: ['The input is not an image archive'],
      images: [],
    });
  });
});

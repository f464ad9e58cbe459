/** The search looks into containers, says where it found what, and what it could not look into; it is bounded. */
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { needlesOf } from '../../src/secrets/encodings.js';
import { Matcher } from '../../src/secrets/matcher.js';
import {
  searchContent,
  SEARCH_LIMITS,
  type SearchOptions,
  type SearchResult,
} from '../../src/secrets/search.js';
import { tar, type TarItem } from '../support/image-tar.js';
import { zip, type ZipMember } from '../support/leak-zip.js';
import { NEVER, streamOf } from '../support/tar.js';

const SECRET = Buffer.from('s3cr3t-t0k3n-value');
const matcher = new Matcher(needlesOf([{ name: 'token', value: SECRET }]).needles);

function search(bytes: Buffer, options: SearchOptions = {}, length = 65_536): Promise<SearchResult> {
  return searchContent(streamOf(bytes, length), matcher, NEVER, options);
}

/** The paths of all findings, each in one line. */
async function places(bytes: Buffer, length?: number): Promise<string[]> {
  const { findings, limits } = await search(bytes, {}, length);
  expect(limits).toEqual([]);
  return findings.map(({ encoding, within }) => [...within, encoding].join(' > '));
}

const file = (name: string, body: Buffer, more: Partial<TarItem> = {}): TarItem => ({
  name,
  type: '0',
  body,
  ...more,
});
/** So long that it is more than a chunk when packed. */
const filler = randomBytes(100_000);
const text = Buffer.concat([filler, SECRET, filler]);

describe('a secret is found', () => {
  test('wherever it is in a file, however the file is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2000 }),
        fc.uint8Array({ maxLength: 2000 }),
        fc.integer({ min: 1, max: 700 }),
        async (before, after, length) => {
          const { findings } = await search(Buffer.concat([before, SECRET, after]), {}, length);
          expect(findings).toMatchObject([
            { secret: 'token', encoding: 'plain', within: [], offset: before.length },
          ]);
        },
      ),
      { numRuns: 50 },
    );
  });

  const members: readonly ZipMember[] = [
    { name: 'META-INF/', content: Buffer.alloc(0), method: 'stored', sizes: 'after' },
    { name: 'big', content: filler, sizes: 'after' },
    { name: 'a/token', content: text },
  ];
  const variants = (['stored', 'deflated'] as const).flatMap((method) =>
    (['before', 'after', 'zip64'] as const)
      .filter((sizes) => method === 'deflated' || sizes !== 'after')
      .map((sizes) => ({ method, sizes })),
  );

  test.each(variants)('in a zip member that is $method, its sizes told $sizes', async (how) => {
    const archive = zip(members.map((member, at) => (at === 2 ? { ...member, ...how } : member)));
    expect(await places(archive)).toEqual(['a/token > plain']);
    expect(await places(archive, 61)).toEqual(['a/token > plain']);
  });

  test('in what the zip of another program holds', async () => {
    const program = `import sys,zipfile,io
out=io.BytesIO()
with zipfile.ZipFile(out,"w",zipfile.ZIP_DEFLATED) as z:
  z.writestr("x","y"*1000)
  z.writestr("d/token",sys.argv[1])
sys.stdout.buffer.write(out.getvalue())`;
    const archive = execFileSync('python3', ['-c', program, SECRET.toString()]);
    expect(await places(archive)).toEqual(['d/token > plain']);
  });

  test('in a tar of any cut: content, name, link target, attribute, long names', async () => {
    const long = `${'d'.repeat(120)}/`;
    const secret = SECRET.toString();
    const archive = tar([
      file('before', filler),
      file('content', Buffer.concat([Buffer.alloc(505), SECRET])),
      file(`named-${secret}`, Buffer.alloc(0)),
      { name: 'symlink', type: '2', linkname: `/x/${secret}` },
      { name: 'hardlink', type: '1', linkname: `${long}${secret}` },
      file('attribute', Buffer.from('x'), { xattrs: { 'user.token': secret } }),
      file(`${long}gnu-${secret}`, Buffer.alloc(0), { form: 'gnu' }),
      file(`${long}pax-${secret}`, Buffer.alloc(0)),
      file('harmless', Buffer.from('x')),
    ]);
    const expected = [
      'content > plain',
      'named-*** > plain',
      'symlink > plain',
      'hardlink > plain',
      'attribute > plain',
      `${long}gnu-*** > plain`,
      `${long}pax-*** > plain`,
    ];
    for (const length of [65_536, 4096, 512, 100]) expect(await places(archive, length)).toEqual(expected);
  });

  test('after the end of an archive', async () => {
    const { findings } = await search(Buffer.concat([tar([file('a', Buffer.from('x'))]), SECRET]));
    expect(findings).toMatchObject([{ within: [] }]);
  });

  test('in archives in archives, down to the depth that is allowed', async () => {
    const jar = zip([{ name: 'in.jar/token', content: SECRET }]);
    const nested = zip([{ name: 'a.tar.gz', content: gzipSync(tar([file('lib/in.jar', jar)])) }]);
    expect(await places(nested)).toEqual(['a.tar.gz > lib/in.jar > in.jar/token > plain']);
    const { findings, limits } = await search(gzipSync(nested));
    expect(findings).toEqual([]);
    expect(limits).toEqual([
      { within: ['a.tar.gz', 'lib/in.jar'], kind: 'depth', reason: 'it is 4 archives deep' },
    ]);
  });

  test('in gzip data of several members', async () => {
    expect(await places(Buffer.concat([gzipSync('x'), gzipSync(SECRET)]))).toEqual(['plain']);
  });
});

describe('what cannot be looked into is told', () => {
  const limits = async (bytes: Buffer) =>
    (await search(bytes)).limits.map(({ within, kind, reason }) => `${within.join('>')} ${kind}: ${reason}`);

  test('an encrypted or unknown member of a zip, and the others are searched', async () => {
    const archive = zip([
      { name: 'locked', content: text, method: 'stored', encrypted: true },
      { name: 'strange', content: filler, method: 'unknown' },
      { name: 'open', content: SECRET },
    ]);
    const { findings } = await search(archive);
    expect(findings.map(({ within }) => within)).toEqual([['open']]);
    expect(await limits(archive)).toEqual([
      'locked encrypted: it is encrypted',
      'strange unsupported: it is compressed by method 99',
    ]);
  });

  test('containers of kinds that Node.js does not know', async () => {
    const packed = (head: string) => Buffer.concat([Buffer.from(head, 'latin1'), filler]);
    const archive = tar([
      file('a.xz', packed('\xfd7zXZ\0')),
      file('a.bz2', packed('BZh91AY&SY')),
      file('BZhello.txt', packed('BZhello')),
      file('a.7z', packed('7z\xbc\xaf\x27\x1c')),
      file('a.deb', packed('!<arch>\ndebian-binary')),
    ]);
    expect(await limits(archive)).toEqual([
      'a.xz unsupported: it is packed as xz',
      'a.bz2 unsupported: it is packed as bzip2',
      'a.7z unsupported: it is packed as 7z',
      'a.deb unsupported: it is packed as Debian package',
    ]);
  });

  test('zstd, or it is unpacked where Node.js can', async () => {
    const packed = Buffer.from('KLUv/SASkQAAczNjcjN0LXQwazNuLXZhbHVl', 'base64');
    const { findings, limits: told } = await search(packed);
    if ('createZstdDecompress' in zlib) expect([findings.length, told]).toEqual([1, []]);
    else
      expect(told).toEqual([
        { within: [], kind: 'unsupported', reason: 'this version of Node.js cannot unpack zstd' },
      ]);
  });

  test('damage, after searching all that can be unpacked', async () => {
    const whole = gzipSync(Buffer.concat([SECRET, filler]));
    const { findings } = await search(whole.subarray(0, 70_000));
    expect(findings).toHaveLength(1);
    expect(await limits(whole.subarray(0, 70_000))).toEqual([
      ' damaged: it cannot be unpacked: unexpected end of file',
    ]);
    const archive = tar([file('a', filler), file('b', filler)]);
    archive.fill('?', 100_864, 101_000);
    expect(await limits(archive)).toEqual([
      ' damaged: Bad tar archive at byte 100864: the checksum of a header does not match',
    ]);
    expect(await limits(zip([{ name: 'a', content: filler }]).subarray(0, 5000))).toEqual([
      ' damaged: its other members were not unpacked: it is cut off',
      'a damaged: it cannot be unpacked: unexpected end of file',
    ]);
  });

  test('bombs, and no more is unpacked after them', async () => {
    const bomb = gzipSync(gzipSync(Buffer.alloc(1 << 26)));
    const archive = tar([file('bomb', bomb), file('later.gz', gzipSync(SECRET))]);
    const result = await search(archive, {
      limits: { ...SEARCH_LIMITS, unpacked: { floor: 1 << 20, ratio: 10 } },
    });
    expect(result.limits.map(({ within, kind }) => [within[0], kind])).toEqual([
      ['bomb', 'size'],
      ['later.gz', 'size'],
    ]);
  });

  test('more findings than a report should have', async () => {
    const archive = tar(Array.from({ length: 30 }, (_, index) => file(`f${index}`, SECRET)));
    const result = await search(archive, { limits: { ...SEARCH_LIMITS, told: 10 } });
    expect(result.findings).toHaveLength(10);
    expect(result.limits).toEqual([{ within: [], kind: 'more', reason: 'more than 10 are not listed' }]);
  });
});

test('any bytes that begin like a container are searched to their end', async () => {
  const heads = ['\x1f\x8b\x08\0', 'PK\x03\x04', '\x28\xb5\x2f\xfd', '', 'ustar'];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...heads),
      fc.uint8Array({ maxLength: 3000 }),
      fc.integer({ min: 1, max: 999 }),
      async (head, bytes, length) => {
        const result = await search(Buffer.concat([Buffer.from(head, 'latin1'), bytes, SECRET]), {}, length);
        expect(result.findings.some(({ encoding }) => encoding === 'plain')).toBe(true);
      },
    ),
  );
});

test('a search stops when it is told to, in the midst of a bomb, too', async () => {
  const controller = new AbortController();
  const bomb = gzipSync(Buffer.alloc(1 << 28));
  const running = searchContent(streamOf(bomb), matcher, controller.signal);
  setImmediate(() => {
    controller.abort(new Error('stopped'));
  });
  await expect(running).rejects.toThrow('stopped');
});

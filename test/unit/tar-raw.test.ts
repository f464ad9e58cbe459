import { mkdir, mkdtemp, open, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { linkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContextError, TarError } from '../../src/tar/errors.js';
import { formatPax } from '../../src/tar/pax.js';
import { TarScanner, type RawEntry } from '../../src/tar/raw.js';
import { scanFile } from '../../src/tar/scan-file.js';
import { anyMember, encode, member, NEVER, run, scan } from '../support/tar.js';

/** A header changed by hand, with a checksum that is right again. */
function patched(
  archive: Buffer,
  change: (header: Buffer) => void,
  sum: 'unsigned' | 'signed' = 'unsigned',
): Buffer {
  const copy = Buffer.from(archive);
  const header = copy.subarray(0, 512);
  change(header);
  header.write('        ', 148, 'latin1');
  const total = header.reduce((all, byte) => all + (sum === 'signed' && byte > 127 ? byte - 256 : byte), 0);
  header.write(`${total.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}

/** An archive of one meta block before a small file. */
function withMeta(flag: string, body: string): Buffer {
  const file = member({ path: 'm' }, body);
  const meta = patched(encode([file]), (header) => header.write(flag, 156, 'latin1'));
  return Buffer.concat([meta.subarray(0, -1024), encode([member({ path: 'file' }, 'content')])]);
}

const simple = encode([member({ path: 'a' }, 'x'.repeat(600)), member({ path: 'b' }, 'y')]);

describe('the tar scanner', () => {
  it('gives the same events however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyMember, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 8 }),
        (members, lengths) => {
          const archive = encode(members, { time: 'nanoseconds' });
          expect(scan(archive, lengths)).toEqual(scan(archive));
        },
      ),
    );
  });

  it('names the ranges of an entry so that copying them copies the entry', () => {
    fc.assert(
      fc.property(fc.array(anyMember, { minLength: 1, maxLength: 5 }), (members) => {
        const archive = encode(members);
        const all = scan(archive);
        const pieces = all.map(({ entry }) => archive.subarray(entry.start, entry.end));
        expect(Buffer.concat([...pieces, Buffer.alloc(1024)])).toEqual(archive);
        for (const { entry, content } of all) {
          expect(archive.subarray(entry.data, entry.data + entry.size)).toEqual(content);
          expect(entry.data).toBe(entry.header + 512);
        }
      }),
    );
  });

  it('answers damaged archives with a TarError or with entries, never with anything else', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(anyMember, { minLength: 1, maxLength: 3 }),
        damage,
        fc.nat(),
        (members, changes, cut) => {
          const archive = encode(members);
          for (const [at, byte] of changes) archive[at % archive.length] = byte;
          const input = patched(archive, () => undefined).subarray(0, archive.length - (cut % 700));
          try {
            scan(input, [511, 3000]);
          } catch (error) {
            expect(error).toBeInstanceOf(TarError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('answers random bytes with a TarError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 2000 }), (bytes) => {
        fc.pre(bytes.some((byte) => byte !== 0));
        expect(() => scan(Buffer.from(bytes))).toThrow(TarError);
      }),
    );
  });

  it('ignores what follows the end mark', () => {
    const all = scan(Buffer.concat([simple, Buffer.from('garbage'.repeat(300))]), [700]);
    expect(all.map(({ entry }) => entry.path)).toEqual(['a', 'b']);
  });

  it('accepts an archive without end mark, and says that there was none', () => {
    const scanner = new TarScanner();
    scanner.feed(simple.subarray(0, -1024));
    scanner.end();
    expect(scanner.finished).toBe(false);
    scanner.feed(simple.subarray(-1024));
    expect(scanner.finished).toBe(true);
  });

  it.each([
    ['inside a header', 100, 100],
    ['inside a body', 700, 700],
    ['inside the padding', 1500, 1500],
    ['inside the next header', 1537, 1537],
  ])('says where an archive is cut off: %s', (_, length, offset) => {
    expect(() => scan(simple.subarray(0, length))).toThrow(
      `Bad tar archive at byte ${offset}: the archive is cut off`,
    );
  });

  it('counts offsets from where it was told to', () => {
    const [event] = new TarScanner(10_000).feed(simple);
    expect(event?.entry).toMatchObject({ start: 10_000, header: 10_000, data: 10_512, end: 11_536 });
  });

  it.each<[string, Buffer, string]>([
    [
      'a wrong checksum',
      Buffer.concat([simple.subarray(0, 1), Buffer.from('z'), simple.subarray(2)]),
      'Bad tar archive at byte 0: the checksum of a header does not match',
    ],
    [
      'a GNU sparse file',
      patched(simple, (header) => header.write('S', 156)),
      'Bad tar archive at byte 0: it holds a sparse file, which the engine cannot load',
    ],
    [
      'a PAX sparse file',
      withMeta('x', formatPax('GNU.sparse.major', '1')),
      'Bad tar archive at byte 1024: it holds a sparse file, which the engine cannot load',
    ],
    [
      'a negative size',
      patched(simple, (header) => header.fill(0xff, 124, 136)),
      'Bad tar archive at byte 0: the size is negative',
    ],
    [
      'an absurd size',
      patched(simple, (header) => header.fill(0xff, 125, 136).writeUInt8(0x80, 124)),
      'Bad tar archive at byte 0: the size is out of range',
    ],
    [
      'an absurd PAX size',
      withMeta('x', formatPax('size', '9'.repeat(17))),
      'Bad tar archive at byte 1024: the size "99999999999999999" is out of range',
    ],
    [
      'letters for a number',
      patched(simple, (header) => header.write('xyz', 124)),
      'Bad tar archive at byte 0: the size is not a number',
    ],
    [
      'a meta block over 1 MiB',
      withMeta('L', 'n'.repeat((1 << 20) + 1)),
      'Bad tar archive at byte 0: a long name or PAX block is over 1 MiB',
    ],
    [
      'a malformed PAX record',
      withMeta('x', '9 path=ab\n99 x=y\n'),
      'Bad tar archive at byte 512: an extended (PAX) record is malformed',
    ],
    [
      'a time that is none',
      withMeta('x', formatPax('mtime', 'noon')),
      'Bad tar archive at byte 1024: "noon" is not a time',
    ],
    [
      'a NUL in a PAX name',
      withMeta('x', formatPax('path', 'a\0b')),
      'Bad tar archive at byte 512: an extended (PAX) record has a NUL in it',
    ],
    [
      'a long name without an entry',
      Buffer.concat([withMeta('L', 'name').subarray(0, 1024), Buffer.alloc(1024)]),
      'Bad tar archive at byte 1024: a long name or PAX block has no entry',
    ],
    [
      'an entry after one zero block',
      Buffer.concat([Buffer.alloc(512), simple]),
      'Bad tar archive at byte 512: an entry follows the end mark',
    ],
  ])('refuses %s', (_, archive, message) => {
    expect(() => scan(archive, [333])).toThrow(
      new TarError(message.slice(message.indexOf(': ') + 2), Number(/\d+/.exec(message)?.[0])),
    );
  });

  it('keeps PAX values as raw bytes and starts the range at the first meta block', () => {
    const value = '\x01\x00\x00\x02\xff\x80\n=';
    const [found] = scan(withMeta('x', formatPax('SCHILY.xattr.security.capability', value)));
    expect(found?.entry.pax.get('SCHILY.xattr.security.capability')).toBe(value);
    expect(found?.entry).toMatchObject({ start: 0, header: 1024, path: 'file' });
  });

  it('counts several meta blocks to one entry', () => {
    const parts = [
      withMeta('K', 'target\0'),
      withMeta('L', 'name\0'),
      withMeta('g', formatPax('comment', 'c')),
    ];
    const archive = Buffer.concat([...parts.map((part) => part.subarray(0, 1024)), simple]);
    expect(scan(archive, [800])[0]?.entry).toMatchObject({
      start: 0,
      header: 3072,
      path: 'name',
      linkname: 'target',
    });
    expect(scan(archive)[1]?.entry).toMatchObject({ start: 4608, header: 4608, path: 'b', linkname: '' });
  });

  it('does not apply global records, since the engine does not, but keeps their block with the next entry', () => {
    const [found] = scan(withMeta('g', formatPax('path', 'other')));
    expect(found?.entry).toMatchObject({ start: 0, header: 1024, path: 'file' });
  });

  it('reads checksums of signed bytes', () => {
    const archive = patched(simple, (header) => header.write('\xe9', 0, 'latin1'), 'signed');
    expect(scan(archive)[0]?.entry.path).toBe('\xe9');
  });

  it('takes a v7 entry with a trailing slash for a folder', () => {
    const archive = patched(encode([member({ path: 'd/' })]), (header) => header.fill(0, 156, 512));
    expect(scan(archive)[0]?.entry.type).toBe('5');
  });

  it('gives links and folders no body, whatever their size field says', () => {
    const archive = patched(encode([member({ path: 'l', type: 'hardlink', linkname: 'a' })]), (header) =>
      header.write('00000000777', 124),
    );
    expect(scan(archive)[0]?.entry).toMatchObject({ size: 0, end: 512 });
  });

  it('reads negative times in base 256', () => {
    const archive = patched(simple, (header) => header.fill(0xff, 136, 148));
    expect(scan(archive)[0]?.entry.mtimeNs).toBe(-1_000_000_000n);
  });
});

describe('archives of GNU tar', () => {
  let directory: string;
  const names = ['sp ace', 'new\nline', 'ctrl\x01\x7f', 'caf\xe9', 'back\\slash', '-dash', 'n'.repeat(255)];
  const bytes = (path: string) => Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')]);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tar-raw-'));
    const deep = `in/${'d'.repeat(120)}/${'e'.repeat(120)}`;
    await mkdir(bytes(deep), { recursive: true });
    for (const name of names) await writeFile(bytes(`in/${name}`), `content of ${name}`, 'latin1');
    await writeFile(bytes(`${deep}/${'f'.repeat(90)}`), 'deep');
    await symlink(Buffer.from('t'.repeat(150)), bytes('in/symlink'));
    linkSync(bytes('in/sp ace'), bytes('in/zz hard'));
    await utimes(bytes('in/-dash'), 1_234_567_890.25, 1_234_567_890.25);
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  it.each(['v7', 'ustar', 'gnu', 'oldgnu', 'pax'])(
    'of format %s are read as GNU tar reads them',
    (format) => {
      const short =
        format === 'v7' || format === 'ustar' ? ['--exclude=d*', '--exclude=n*', '--exclude=symlink'] : [];
      const archive = Buffer.from(
        run('tar', ['-c', `--format=${format}`, '--sort=name', ...short, '-C', directory, 'in']),
        'latin1',
      );
      const listed = run(
        'tar',
        ['-t', '--quoting-style=literal', '--null', '--show-transformed-names'],
        archive,
      );
      const found = scan(archive, [1000]);
      expect(`${found.map(({ entry }) => entry.path).join('\n')}\n`).toBe(listed);
      expect(found.length).toBeGreaterThan(6);
      for (const { entry, content } of found) {
        const name = entry.path.slice(3);
        if (entry.type === '0' && names.includes(name))
          expect(content.toString('latin1')).toBe(`content of ${name}`);
      }
      const link = found.find(({ entry }) => entry.type === '1');
      expect([link?.entry.path, link?.entry.linkname]).toEqual(['in/zz hard', 'in/sp ace']);
      const symbolic = found.find(({ entry }) => entry.type === '2');
      expect(symbolic?.entry.linkname).toBe(short.length > 0 ? undefined : 't'.repeat(150));
      const dash = found.find(({ entry }) => entry.path === 'in/-dash');
      expect(dash?.entry.mtimeNs).toBe(
        format === 'pax' ? 1_234_567_890_250_000_000n : 1_234_567_890_000_000_000n,
      );
    },
  );

  it.each(['gnu', 'pax'])('with sparse files (%s) are refused', async (format) => {
    await writeFile(join(directory, 'sparse'), '');
    await truncate(join(directory, 'sparse'), 1 << 22);
    const archive = Buffer.from(
      run('tar', ['-c', '-S', `--format=${format}`, '-C', directory, 'sparse']),
      'latin1',
    );
    expect(() => scan(archive)).toThrow('it holds a sparse file, which the engine cannot load');
  });
});

describe('scanning an archive inside a file', () => {
  it('finds the same entries as reading all of it, passing over large bodies', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tar-raw-'));
    try {
      const archive = encode([
        member({ path: 'big' }, 'b'.repeat(1_000_001)),
        member({ path: 'small' }, 's'),
      ]);
      await writeFile(join(directory, 'f'), Buffer.concat([Buffer.alloc(777), archive, Buffer.from('tail')]));
      await using file = await open(join(directory, 'f'));
      const found: RawEntry[] = [];
      for await (const entry of scanFile(file, { start: 777, end: 777 + archive.length }, NEVER))
        found.push(entry);
      const shift = (entry: RawEntry) => ({
        ...entry,
        start: entry.start + 777,
        header: entry.header + 777,
        data: entry.data + 777,
        end: entry.end + 777,
      });
      expect(found).toEqual(scan(archive).map(({ entry }) => shift(entry)));

      const cut = async () => {
        for await (const entry of scanFile(file, { start: 777, end: 900_000 }, NEVER)) found.push(entry);
      };
      await expect(cut()).rejects.toThrow('Bad tar archive at byte 900000: the archive is cut off');
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('the errors of the tar room', () => {
  it('keep what to do next apart from what happened', () => {
    expect(new ContextError('x', { hint: 'Do y.' })).toMatchObject({ message: 'x', hint: 'Do y.' });
  });
});

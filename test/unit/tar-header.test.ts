import { mkdtemp, rm } from 'node:fs/promises';
import { lstatSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EntryType } from '../../src/tar/context.js';
import { encodeHeader } from '../../src/tar/header.js';
import { TarScanner } from '../../src/tar/raw.js';
import { anyMember, encode, folder, member, run, scan, type Scanned } from '../support/tar.js';

const TYPES: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** What was scanned in the form of what was encoded. */
function back({ entry, content }: Scanned) {
  const type = TYPES[entry.type];
  const xattrs = [...entry.pax].filter(([key]) => key.startsWith('SCHILY.xattr.'));
  return {
    content,
    entry: {
      path: entry.path.replace(/\/$/, ''),
      type,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      size: entry.size,
      mtimeNs: entry.mtimeNs,
      ...((type === 'symlink' || type === 'hardlink') && { linkname: entry.linkname }),
      ...((type === 'character' || type === 'block') && {
        devMajor: entry.devMajor,
        devMinor: entry.devMinor,
      }),
      ...(xattrs.length > 0 && { xattrs: new Map(xattrs.map(([key, value]) => [key.slice(13), value])) }),
    },
  };
}

describe('tar headers', () => {
  it('come back as they went in, whatever the entry', () => {
    fc.assert(
      fc.property(fc.array(anyMember, { maxLength: 6 }), (members) => {
        const archive = encode(members, { time: 'nanoseconds' });
        expect(scan(archive).map(back)).toEqual(members);
      }),
    );
  });

  it('drop fractions of seconds downwards unless asked to keep them', () => {
    const times = [1_500_000_000n, -1_500_000_000n, 7n].map((mtimeNs) => member({ path: 'a', mtimeNs }));
    expect(scan(encode(times)).map(({ entry }) => entry.mtimeNs)).toEqual([
      1_000_000_000n,
      -2_000_000_000n,
      0n,
    ]);
  });

  it('of plain entries take one block, and those of names up to 255 bytes too', () => {
    expect(encodeHeader(member({ path: 'a'.repeat(100) }).entry)).toHaveLength(512);
    expect(encodeHeader(member({ path: `${'d'.repeat(155)}/${'f'.repeat(100)}` }).entry)).toHaveLength(512);
    expect(encodeHeader(member({ path: 'a'.repeat(101) }).entry)).toHaveLength(1536);
  });

  it('of files beyond 8 GiB carry their size', () => {
    const size = 2 ** 33 + 1;
    const [event] = new TarScanner().feed(encodeHeader({ ...member({ path: 'big' }).entry, size }));
    expect(event?.entry.size).toBe(size);
  });

  it('refuse an attribute name that PAX cannot hold', () => {
    const { entry } = member({ path: 'a', xattrs: new Map([['user.a=b', 'x']]) });
    expect(() => encodeHeader(entry)).toThrow('The extended attribute "user.a=b" of "a" has "=" in its name');
  });

  it('are understood by GNU tar, byte for byte', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tar-header-'));
    try {
      const long = `${'l'.repeat(120)}/${'\xe9'.repeat(130)}`;
      const archive = encode([
        folder('d', { mode: 0o1777, mtimeNs: 1_000_000_000n }),
        member(
          { path: 'd/sp ace\nline\xff', mode: 0o4750, mtimeNs: 1_600_000_000_000_000_000n },
          'content\0\xff',
        ),
        member({ path: 'd/again', type: 'hardlink', linkname: 'd/sp ace\nline\xff' }),
        member({ path: 'd/link', type: 'symlink', linkname: `no/such/${'x'.repeat(120)}\xfe` }),
        folder('l'.repeat(120)),
        member({ path: long }, 'long'),
      ]);
      run('tar', ['-x', '-p', '-C', directory], archive);
      const at = (path: string) => Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')]);
      const odd = lstatSync(at('d/sp ace\nline\xff'));
      expect(odd.mode & 0o7777).toBe(0o4750);
      expect(odd.mtimeMs).toBe(1_600_000_000_000);
      expect(odd.ino).toBe(lstatSync(at('d/again')).ino);
      expect(readFileSync(at('d/sp ace\nline\xff'), 'latin1')).toBe('content\0\xff');
      expect(readFileSync(at(long), 'latin1')).toBe('long');
      expect(run('readlink', [join(directory, 'd/link')])).toBe(`no/such/${'x'.repeat(120)}\xfe\n`);
      expect(lstatSync(at('d')).mode & 0o7777).toBe(0o1777);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

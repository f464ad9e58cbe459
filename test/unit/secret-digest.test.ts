/** The key of digests: made once, shared by all processes of a user, and by nobody else. */
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf, openDigestKey } from '../../src/secrets/digest.js';

let folder = '';
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'habitus-test-')), 'cache', 'habitus');
});
afterEach(() => rm(join(folder, '../..'), { recursive: true }));

describe('the key of digests', () => {
  it('is made at its first use, for this user alone, and stays', async () => {
    const first = await openDigestKey({ state: 'on', path: folder });
    expect(first.kind).toBe('lasting');
    expect(first.key).toHaveLength(32);
    expect((await stat(join(folder, 'secret-key'))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await openDigestKey({ state: 'on', path: folder })).toEqual(first);
    expect(await readdir(folder)).toEqual(['secret-key']);
  });

  it('is one for all who begin together', async () => {
    const keys = await Promise.all(
      Array.from({ length: 20 }, () => openDigestKey({ state: 'on', path: folder })),
    );
    expect(new Set(keys.map(({ key }) => key.toString('hex'))).size).toBe(1);
    expect(new Set(keys.map(({ kind }) => kind))).toEqual(new Set(['lasting']));
    expect(await readdir(folder)).toEqual(['secret-key']);
  });

  it.each<readonly [string, () => Promise<unknown>, string]>([
    ['others may read', () => chmod(join(folder, 'secret-key'), 0o640), 'is open to others; remove it'],
    ['is cut', () => writeFile(join(folder, 'secret-key'), 'short'), 'is not a key of 32 bytes; remove it'],
  ])('that %s is not used, and why is told', async (_, spoil, reason) => {
    const { key } = await openDigestKey({ state: 'on', path: folder });
    await spoil();
    const other = await openDigestKey({ state: 'on', path: folder });
    expect(other).toMatchObject({ kind: 'process', reason: `${join(folder, 'secret-key')} ${reason}` });
    expect(other.key).toHaveLength(32);
    expect(other.key).not.toEqual(key);
  });

  it('is not read through a link', async () => {
    await mkdir(folder, { recursive: true });
    await symlink('/dev/zero', join(folder, 'secret-key'));
    expect((await openDigestKey({ state: 'on', path: folder })).kind).toBe('process');
  });

  it('lives as long as the process where the folder is of no use', async () => {
    await mkdir(join(folder, '..'), { recursive: true });
    await writeFile(folder, 'a file');
    expect(await openDigestKey({ state: 'on', path: folder })).toMatchObject({ kind: 'process' });
  });
});

describe('a digest', () => {
  it('is HMAC-SHA256', () => {
    // RFC 4231, test case 2.
    expect(digestOf(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?'))).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });
});

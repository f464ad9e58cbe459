import { chmod, link, lstat, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Digests } from '../../src/cache/digests.js';
import { hashLarge, hashSmall } from '../../src/cache/hash-file.js';
import { isSettled, StatCache } from '../../src/cache/stat-cache.js';
import type { EntryStat } from '../../src/tar/stat-rows.js';
import { recalled } from '../support/digests.js';
import { NEVER, path } from '../support/tar.js';
import { plant, temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();
const SECOND = 1_000_000_000n;
const HOUR = 3600n * SECOND;

const DIGEST = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const WORD = fc.bigInt({ min: 0n, max: 2n ** 62n });
const STAT: fc.Arbitrary<EntryStat> = fc.record({
  size: WORD,
  mtimeNs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
  ctimeNs: fc.bigInt({ min: 0n, max: 2n ** 62n }),
  ino: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  dev: WORD,
  mode: WORD,
});
const FILES = fc.uniqueArray(fc.record({ path, stat: STAT, digest: DIGEST }), {
  selector: (file) => file.path,
  maxLength: 20,
});
const BASIC: EntryStat = { size: 1n, mtimeNs: 2n, ctimeNs: 3n, ino: 4n, dev: 5n, mode: 6n };
const LATER = 2n ** 63n;

type File = typeof FILES extends fc.Arbitrary<(infer T)[]> ? T : never;

function cacheOf(files: readonly File[]): StatCache {
  const cache = StatCache.empty();
  for (const file of files) cache.remember(file.path, file.stat, file.digest, LATER);
  return cache;
}

describe('remembered contents', () => {
  it('are found again by the same stat data, in any order, and by no other', () => {
    fc.assert(
      fc.property(
        FILES,
        fc.constantFrom('size', 'mtimeNs', 'ctimeNs', 'ino', 'dev', 'mode'),
        fc.nat(),
        (files, field, seed) => {
          const cache = StatCache.decode(cacheOf(files).encode());
          const shuffled = files
            .map((file, i) => ({ file, key: (i * 7919 + seed) % 101 }))
            .sort((a, b) => a.key - b.key);
          for (const { file } of shuffled) {
            expect(
              recalled(cache, file.path, { ...file.stat, [field]: file.stat[field] ^ 1n }),
            ).toBeUndefined();
            expect(recalled(cache, file.path, file.stat)).toBe(file.digest);
            expect(recalled(cache, `${file.path}\0`, file.stat)).toBeUndefined();
          }
        },
      ),
    );
  });

  it('stay from session to session as long as they are asked for, and go with their files', () => {
    fc.assert(
      fc.property(
        FILES,
        FILES,
        fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
        fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
        (old, others, asked, written) => {
          const again = old.filter((_, i) => written[i] === true);
          const names = new Set([...others, ...again].map((file) => file.path));
          const fresh = [...names].map((path) => ({ path, stat: BASIC, digest: 'n'.repeat(32) }));
          const cache = StatCache.decode(cacheOf(old).encode());
          const kept = old.filter((_, i) => asked[i] === true);
          for (const file of kept) recalled(cache, file.path, file.stat);
          for (const file of fresh) cache.remember(file.path, file.stat, file.digest, LATER);
          expect(cache.learned).toBe(fresh.length);
          const encoded = cache.encode();
          expect(encoded.readUInt32LE(0)).toBe(
            fresh.length + kept.filter((file) => !names.has(file.path)).length,
          );
          const next = StatCache.decode(encoded);
          for (const file of fresh) expect(recalled(next, file.path, file.stat)).toBe(file.digest);
          for (const [i, file] of old.entries()) {
            if (names.has(file.path)) continue;
            expect(recalled(next, file.path, file.stat)).toBe(asked[i] === true ? file.digest : undefined);
          }
        },
      ),
    );
  });

  it('may be any number, also where every second one is gone', () => {
    const cache = StatCache.empty();
    const names = Array.from({ length: 300_000 }, (_, i) => String(i).padStart(6, '0'));
    for (const name of names) cache.remember(name, BASIC, 'd'.repeat(32), LATER);
    const next = StatCache.decode(cache.encode());
    for (let row = 0; row < names.length; row += 2) next.keep(row, row + 1);
    next.remember('x', BASIC, 'd'.repeat(32), LATER);
    expect(StatCache.decode(next.encode()).entries.paths).toHaveLength(names.length / 2 + 1);
  });

  it('are none where the encoding does not add up', () => {
    const file = { path: 'a', stat: BASIC, digest: 'd'.repeat(32) };
    const encoded = cacheOf([file]).encode();
    expect(recalled(StatCache.decode(encoded), 'a', file.stat)).toBe(file.digest);
    for (let length = 0; length < encoded.length; length++) {
      expect(recalled(StatCache.decode(encoded.subarray(0, length)), 'a', file.stat)).toBeUndefined();
    }
    expect(recalled(StatCache.decode(Buffer.concat([encoded, encoded])), 'a', file.stat)).toBeUndefined();
  });

  it('are not kept of a file that was written to just before it was read', () => {
    const at = 1_800_000_000n * SECOND + 123_456_789n;
    const stat = { size: 1n, mtimeNs: 0n, ctimeNs: at, ino: 1n, dev: 1n, mode: 1n };
    const remembered = (readAt: bigint) => {
      const cache = StatCache.empty();
      cache.remember('f', stat, 'd'.repeat(32), readAt);
      return recalled(cache, 'f', stat);
    };
    expect(remembered(at)).toBeUndefined();
    expect(remembered(at + SECOND / 20n)).toBeUndefined();
    expect(remembered(at + SECOND / 5n)).toBe('d'.repeat(32));
    expect(remembered(at - HOUR), 'a clock set back').toBeUndefined();
    // On a file system that counts in seconds, the next write may look the same for longer.
    const coarse = { ...stat, ctimeNs: 1_800_000_000n * SECOND };
    expect(isSettled(coarse, coarse.ctimeNs + SECOND)).toBe(false);
    expect(isSettled(coarse, coarse.ctimeNs + 2n * SECOND + 1n)).toBe(true);
  });

  it('are never wrong of a file that is rewritten again and again to the same size and time', async () => {
    const file = join(folder.path, 'f');
    const cache = StatCache.empty();
    for (let i = 0; i < 300; i++) {
      const content = `content ${String(i).padStart(4, '0')}`;
      writeFileSync(file, content);
      await utimes(file, 1_700_000_000, 1_700_000_000);
      const readAt = BigInt(Date.now()) * 1_000_000n;
      const stats = await lstat(file, { bigint: true });
      const digest = recalled(cache, 'f', stats) ?? hashSmall(folder.path, 'f', stats) ?? '';
      cache.remember('f', stats, digest, readAt);
      expect(digest).toBe(createHash('sha256').update(content).digest('binary'));
    }
  });
});

describe('hashing a file', () => {
  const hashes = {
    'at once': (name: string, stat: EntryStat) => Promise.resolve(hashSmall(folder.path, name, stat)),
    'in pieces': (name: string, stat: EntryStat) => hashLarge(folder.path, name, stat, NEVER),
  };

  describe.each(Object.entries(hashes))('%s', (_, hash) => {
    const statOf = (name: string) => lstat(join(folder.path, name), { bigint: true });

    it('gives the SHA-256 of its content', async () => {
      await plant(folder.path, ['f=12345', 'empty=']);
      const hex = async (name: string) =>
        Buffer.from((await hash(name, await statOf(name))) ?? '', 'latin1').toString('hex');
      expect(await hex('f')).toBe('5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5');
      expect(await hex('empty')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    });

    it.each<[string, (file: string) => Promise<unknown>]>([
      ['grew', (file) => writeFile(file, '123456')],
      ['shrank', (file) => writeFile(file, '1234')],
      ['was rewritten', (file) => writeFile(file, '54321')],
      ['got another mode', (file) => chmod(file, 0o600)],
      ['was replaced', (file) => writeFile(`${file}2`, '12345').then(() => rename(`${file}2`, file))],
    ])('gives none of a file that %s since it was looked at', async (_name, change) => {
      await plant(folder.path, ['f=12345']);
      const before = await statOf('f');
      await change(join(folder.path, 'f'));
      expect(await hash('f', before)).toBeUndefined();
    });

    it('names a file that vanished', async () => {
      await plant(folder.path, ['f=12345']);
      const before = await statOf('f');
      await rm(join(folder.path, 'f'));
      await expect((async () => hash('f', before))()).rejects.toThrow(
        '"f" of the context changed while it was being read',
      );
    });
  });

  it('in pieces takes files of any size, and stops at an abort', async () => {
    const large = Buffer.alloc(2_500_001, 'abc');
    await writeFile(join(folder.path, 'large'), large);
    const stats = await lstat(join(folder.path, 'large'), { bigint: true });
    expect(await hashLarge(folder.path, 'large', stats, NEVER)).toBe(
      createHash('sha256').update(large).digest('binary'),
    );
    await expect(
      hashLarge(folder.path, 'large', stats, AbortSignal.abort(new Error('enough'))),
    ).rejects.toThrow('enough');
  });

  it('counts a new name of a file as a change, for its ctime is one', async () => {
    await plant(folder.path, ['f=12345']);
    const before = await lstat(join(folder.path, 'f'), { bigint: true });
    await link(join(folder.path, 'f'), join(folder.path, 'g'));
    expect(hashSmall(folder.path, 'f', before)).toBeUndefined();
  });
});

describe('a column of digests', () => {
  it('gives each back, and those that are present in the order of their places', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(DIGEST, { nil: undefined }), { maxLength: 50 }),
        fc.nat({ max: 3000 }),
        fc.boolean(),
        (all, gap, backwards) => {
          const places = all.map((digest, i) => ({ digest, place: i < 25 ? i : i + gap }));
          const column = Digests.empty();
          for (const { digest, place } of backwards ? places.toReversed() : places) {
            if (digest !== undefined) column.set(place, digest);
          }
          for (const { digest, place } of places) expect(column.at(place)).toBe(digest);
          const text = all.filter((digest) => digest !== undefined).join('');
          expect(Buffer.concat(column.present()).toString('latin1')).toBe(text);
        },
      ),
    );
  });
});

import { chmod, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSealed, writeSealed } from '../../src/cache/atomic-file.js';
import { CacheStore } from '../../src/cache/store.js';
import { userFolder } from '../../src/core/user-folder.js';
import { temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();
const NOTHING = 'nothing can be remembered for the next session: ';

const store = (): CacheStore => new CacheStore(userFolder({ XDG_CACHE_HOME: folder.path }));

describe('the cache folder', () => {
  it.each([
    [
      { XDG_CACHE_HOME: '/x', HOME: '/home/me' },
      { state: 'on', path: '/x/habitus' },
    ],
    [{ HOME: '/home/me' }, { state: 'on', path: '/home/me/.cache/habitus' }],
    [
      { XDG_CACHE_HOME: 'relative', HOME: '/home/me' },
      { state: 'on', path: '/home/me/.cache/habitus' },
    ],
    [{}, { state: 'off', reason: 'neither XDG_CACHE_HOME nor HOME names a folder' }],
  ])('of %o is %o', (env, expected) => {
    expect(userFolder(env)).toEqual(expected);
  });

  it('is made at the first write, for its owner only', async () => {
    const cache = store();
    expect(await cache.read('records', 'a')).toBeUndefined();
    expect(await readdir(folder.path)).toEqual([]);
    await cache.write('records', 'a', Buffer.from('x'));
    expect(cache.problem).toBeUndefined();
    expect((await stat(join(folder.path, 'habitus'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder.path, 'habitus/records/a'))).mode & 0o777).toBe(0o600);
  });
});

describe('a store', () => {
  it('gives back what was written, to who asks for the same kind', async () => {
    await store().write('records', 'a', Buffer.from('content'));
    expect((await store().read('records', 'a'))?.toString()).toBe('content');
    expect(await store().read('contents', 'a')).toBeUndefined();
  });

  it('is off without a folder, and says so', async () => {
    const cache = new CacheStore(userFolder({}));
    await cache.write('records', 'a', Buffer.from('x'));
    expect(await cache.read('records', 'a')).toBeUndefined();
    expect(cache.problem).toBe(`${NOTHING}neither XDG_CACHE_HOME nor HOME names a folder`);
  });

  it('is off where the folder cannot be made, and says so', async () => {
    await writeFile(join(folder.path, 'habitus'), 'a file');
    const cache = store();
    await cache.write('records', 'a', Buffer.from('x'));
    expect(cache.problem).toContain(`${NOTHING}EEXIST`);
    expect(await cache.read('records', 'a')).toBeUndefined();
  });

  it('is off where others may write, and says so', async () => {
    await mkdir(join(folder.path, 'habitus'));
    await chmod(join(folder.path, 'habitus'), 0o777);
    const cache = store();
    await cache.write('records', 'a', Buffer.from('x'));
    expect(cache.problem).toBe(`${NOTHING}others may write to ${join(folder.path, 'habitus')}`);
    expect(await readdir(join(folder.path, 'habitus'))).toEqual([]);
  });

  it('keeps those contents that were used last', async () => {
    const cache = store();
    const place = (name: string) => join(folder.path, 'habitus/contexts', name);
    for (let i = 0; i < 64; i++) {
      await cache.write('contexts', `c${i}`, Buffer.from('x'));
      await utimes(place(`c${i}`), 1000 + i, 1000 + i);
    }
    await writeFile(place('.writing-dead'), 'half');
    await utimes(place('.writing-dead'), 1, 1);
    await writeFile(place('.writing-alive'), 'half');
    expect(await cache.read('contexts', 'c0')).toBeDefined();
    await cache.write('contexts', 'new', Buffer.from('x'));
    const names = await readdir(join(folder.path, 'habitus/contexts'));
    expect(names).toHaveLength(65);
    expect(names).toEqual(expect.arrayContaining(['c0', 'c2', 'c63', 'new', '.writing-alive']));
    expect(names).not.toContain('c1');
  });
});

describe('a sealed file', () => {
  const file = () => join(folder.path, 'file');

  it('is nothing, or exactly what was written, whatever becomes of its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 60 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (bytes, at, bits) => {
          const content = Buffer.from(bytes);
          await writeSealed(file(), 'test', content);
          const whole = await readFile(file());
          expect((await readSealed(file(), 'test'))?.equals(content)).toBe(true);
          const flipped = Buffer.from(whole);
          const place = at % whole.length;
          flipped[place] = (flipped[place] ?? 0) ^ bits;
          for (const damaged of [
            flipped,
            whole.subarray(0, place),
            whole.subarray(place + 1),
            Buffer.concat([whole, Buffer.from([bits])]),
            Buffer.concat([whole.subarray(0, place), Buffer.alloc(whole.length - place)]),
          ]) {
            await writeFile(file(), damaged);
            const read = await readSealed(file(), 'test');
            expect(read === undefined || (damaged.equals(whole) && read.equals(content))).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is nothing where it is not there, a folder, or of another kind', async () => {
    expect(await readSealed(file(), 'test')).toBeUndefined();
    expect(await readSealed(folder.path, 'test')).toBeUndefined();
    await writeFile(file(), '{"some": "JSON"}'.repeat(10));
    expect(await readSealed(file(), 'test')).toBeUndefined();
    await writeSealed(file(), 'test', Buffer.from('x'));
    expect(await readSealed(file(), 'tes')).toBeUndefined();
  });

  it('is one of them, whole, while many write it', async () => {
    const contents = Array.from({ length: 12 }, (_, i) => Buffer.alloc(200_000 + i, `${i}`));
    await writeSealed(file(), 'test', contents[0] ?? Buffer.alloc(0));
    const over = new AbortController();
    const readers = (async () => {
      let read = 0;
      while (!over.signal.aborted) {
        const found = await readSealed(file(), 'test');
        expect(contents.some((content) => found?.equals(content))).toBe(true);
        read += 1;
      }
      return read;
    })();
    await Promise.all(contents.map((content) => writeSealed(file(), 'test', content)));
    over.abort();
    expect(await readers).toBeGreaterThan(0);
    expect(await readdir(folder.path)).toEqual(['file']);
  });

  it('leaves nothing where it cannot be written', async () => {
    await mkdir(file());
    await writeFile(join(file(), 'x'), '');
    await expect(writeSealed(file(), 'test', Buffer.from('x'))).rejects.toThrow();
    expect(await readdir(folder.path)).toEqual(['file']);
  });
});

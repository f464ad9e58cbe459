import { once } from 'node:events';
import { chmod, link, lutimes, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ContextEntry } from '../../src/tar/context.js';
import { compileIgnore } from '../../src/tar/ignore.js';
import { openLocal, unreadable } from '../../src/tar/local-file.js';
import { comparePaths, shown } from '../../src/tar/paths.js';
import { walk } from '../../src/tar/walk.js';
import { NEVER, path, readAll, run } from '../support/tar.js';
import { lines, plant, temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();

async function walked(ignore?: string): Promise<ContextEntry[]> {
  const all: ContextEntry[] = [];
  const matcher = ignore === undefined ? undefined : compileIgnore(ignore);
  for await (const { entry } of walk(folder.path, matcher, NEVER)) all.push(entry);
  return all;
}

describe('the order of paths', () => {
  it('is that of their components, byte by byte', () => {
    const bytes = (text: string) => text.split('/').map((name) => Buffer.from(name, 'latin1'));
    const byComponents = (a: string, b: string) => {
      const [x, y] = [bytes(a), bytes(b)];
      for (const [i, component] of x.entries()) {
        const other = y[i];
        if (!other) return 1;
        const order = Buffer.compare(component, other);
        if (order !== 0) return order;
      }
      return x.length - y.length;
    };
    fc.assert(
      fc.property(path, path, (a, b) => {
        expect(Math.sign(comparePaths(a, b))).toBe(Math.sign(byComponents(a, b)));
        expect(Math.sign(comparePaths(a, `${a}/${b}`))).toBe(-1);
      }),
    );
    expect(['a-b', 'a/b', 'a', 'a\x01'].sort(comparePaths)).toEqual(['a', 'a/b', 'a\x01', 'a-b']);
  });
});

describe('a path in a message', () => {
  it('cannot change the terminal, and reads as UTF-8', () => {
    expect(shown(Buffer.from('é\n\u001b[31m\u009b\u202e').toString('latin1'))).toBe(
      '"é\\n\\u001b[31m\\u009b\\u202e"',
    );
  });
});

describe('walking a folder', () => {
  it('gives every folder before its children, in the order of bytes', async () => {
    await plant(folder.path, ['a/b', 'a-b', 'a/c/d', 'a.b/x', '\xff', 'z\n', 'empty/', 'B']);
    expect(lines(await walked())).toEqual([
      'B',
      'a/',
      'a/b',
      'a/c/',
      'a/c/d',
      'a-b',
      'a.b/',
      'a.b/x',
      'empty/',
      'z\n',
      '\xff',
    ]);
  });

  it('keeps modes and nanoseconds, and gives everything to root', async () => {
    await plant(folder.path, ['f=12345']);
    await chmod(join(folder.path, 'f'), 0o4711);
    run('touch', ['-d', '@1500000000.123456789', join(folder.path, 'f')]);
    expect(await walked()).toEqual([
      { path: 'f', type: 'file', mode: 0o4711, uid: 0, gid: 0, size: 5, mtimeNs: 1_500_000_000_123_456_789n },
    ]);
  });

  it('does not follow symlinks, not even in a circle', async () => {
    await plant(folder.path, ['d/up -> ..', 'self -> self', 'dangling -> no\xffwhere', 'out -> /']);
    expect(lines(await walked())).toEqual([
      'd/',
      'd/up -> ..',
      'dangling -> no\xffwhere',
      'out -> /',
      'self -> self',
    ]);
  });

  it('leaves out sockets and keeps fifos', async () => {
    run('mkfifo', [join(folder.path, 'pipe')]);
    const server = createServer().listen(join(folder.path, 'socket'));
    await once(server, 'listening');
    try {
      expect(lines(await walked())).toEqual(['pipe (fifo)']);
    } finally {
      server.close();
      await once(server, 'close');
    }
  });

  it('marks the names of one file with one key', async () => {
    await plant(folder.path, ['a', 'single']);
    await link(join(folder.path, 'a'), join(folder.path, 'b'));
    const keys = new Map<string, string | undefined>();
    for await (const { entry, inode } of walk(folder.path, undefined, NEVER)) keys.set(entry.path, inode);
    expect(keys.get('a')).toBeDefined();
    expect(keys.get('b')).toBe(keys.get('a'));
    expect(keys.get('single')).toBeUndefined();
  });

  it('shows an ignored folder only when something below it comes back', async () => {
    await plant(folder.path, ['keep/x', 'out/a/b/yes', 'out/a/b/yes too', 'out/a/no', 'out/c/no', 'plain']);
    expect(lines(await walked('out\n!out/a/b/yes*'))).toEqual([
      'keep/',
      'keep/x',
      'out/',
      'out/a/',
      'out/a/b/',
      'out/a/b/yes',
      'out/a/b/yes too',
      'plain',
    ]);
    expect(lines(await walked('*\n!out/c/none'))).toEqual([]);
  });

  it('gives as many names as a large folder has', async () => {
    const names = Array.from({ length: 700 }, (_, i) => `n${String(i).padStart(4, '0')}`);
    await plant(folder.path, [
      ...names,
      ...names
        .slice(0, 3)
        .map((name) => `s -> ${name}`)
        .slice(0, 1),
    ]);
    expect(lines(await walked())).toEqual([...names, 's -> n0000']);
  });

  it('stops at an abort', async () => {
    await plant(folder.path, ['a', 'b']);
    const stop = new AbortController();
    const seen: string[] = [];
    const all = (async () => {
      for await (const { entry } of walk(folder.path, undefined, stop.signal)) {
        seen.push(entry.path);
        stop.abort(new Error('enough'));
      }
    })();
    await expect(all).rejects.toThrow('enough');
    expect(seen).toEqual(['a']);
  });

  it('names a file that vanishes and says what to do', async () => {
    await plant(folder.path, ['a/x', ...Array.from({ length: 400 }, (_, i) => `b${i}`)]);
    const all = (async () => {
      for await (const { entry } of walk(folder.path, undefined, NEVER)) {
        if (entry.path === 'a/x') await rm(join(folder.path, 'b99'));
      }
    })();
    await expect(all).rejects.toMatchObject({
      message: '"b99" of the context changed while it was being read',
      hint: 'Build again when nothing writes to it, or leave it out with a line in .dockerignore.',
    });
  });
});

describe('reading a file of the context', () => {
  const read = async (name: string, change?: (file: string) => Promise<unknown>) => {
    const entry = (await walked()).find((candidate) => candidate.path === name);
    if (!entry) throw new Error(`no ${name}`);
    await change?.(join(folder.path, name));
    return readAll(openLocal(folder.path, entry, NEVER));
  };

  it('gives its bytes, few or many', async () => {
    const large = Buffer.alloc(3_000_001, 'abc');
    await writeFile(join(folder.path, 'large'), large);
    await plant(folder.path, ['small', 'empty=']);
    expect((await read('large')).equals(large)).toBe(true);
    expect((await read('small')).toString()).toBe('small');
    expect((await read('empty')).length).toBe(0);
  });

  it.each<[string, (file: string) => Promise<unknown>]>([
    ['grew', (file) => writeFile(file, 'more than before')],
    ['shrank', (file) => truncate(file, 1)],
    ['vanished', (file) => rm(file)],
    ['became a fifo', (file) => rm(file).then(() => run('mkfifo', [file]))],
    ['became a symlink', (file) => rm(file).then(() => run('ln', ['-s', '/etc/passwd', file]))],
  ])('fails and names it when it %s', async (_, change) => {
    await plant(folder.path, ['f=12345']);
    await lutimes(join(folder.path, 'f'), 1, 1);
    await expect(read('f', change)).rejects.toThrow('"f" of the context changed while it was being read');
  });

  it('says that permission is missing', () => {
    const cause = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    expect(unreadable('dir/f', cause)).toMatchObject({
      message: 'Cannot read "dir/f" of the context: permission denied',
      hint: 'Make it readable, or leave it out with a line in .dockerignore.',
      cause,
    });
  });
});

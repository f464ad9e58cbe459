/** Temporary files that nobody else sees. */
import { watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openAndUnlink, openUnlinked } from '../../src/tar/unlinked-file.js';
import { temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();

describe.each([
  ['without a name', openUnlinked],
  ['that loses its name', openAndUnlink],
] as const)('a temporary file %s', (_, openOne) => {
  it('is written and read, by its owner alone, and is in no folder', async () => {
    const file = await openOne(folder.path);
    try {
      await file.write('some text');
      const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 5);
      expect(buffer.toString('utf8', 0, bytesRead)).toBe('text');
      const { mode, nlink } = await file.stat();
      expect([(mode & 0o7777).toString(8), nlink]).toEqual(['600', 0]);
      expect(await readdir(folder.path)).toEqual([]);
    } finally {
      await file.close();
    }
  });

  it('needs its folder', async () => {
    await expect(openOne(join(folder.path, 'missing'))).rejects.toThrow('ENOENT');
  });
});

it('never has a name where the system can do without', async () => {
  const seen: unknown[] = [];
  const watcher = watch(folder.path, (...event) => seen.push(event));
  try {
    await (await openUnlinked(folder.path)).close();
    await (await openAndUnlink(folder.path)).close();
    await expect.poll(() => seen.length).toBeGreaterThan(0);
  } finally {
    watcher.close();
  }
  const names = new Set(seen.map((event) => (event as [string, string])[1]));
  expect([...names]).toHaveLength(1);
});

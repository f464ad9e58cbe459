import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepCompiled } from '../../src/cli/compile-cache.js';

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'habitus-compiled-'));
});
afterEach(() => rm(cache, { recursive: true, force: true }));

/** The folders that Node was told to use. */
async function used(env: Record<string, string>): Promise<readonly string[]> {
  const folders: string[] = [];
  await keepCompiled(env, { enableCompileCache: (folder) => folders.push(folder) });
  return folders;
}

describe('what is compiled', () => {
  it("is kept in the user's own folder, which nobody else can enter", async () => {
    expect(await used({ XDG_CACHE_HOME: cache })).toEqual([join(cache, 'habitus', 'compiled')]);
    expect((await stat(join(cache, 'habitus'))).mode & 0o777).toBe(0o700);
  });

  it('is not kept in a folder that others can write to', async () => {
    await mkdir(join(cache, 'habitus'));
    await chmod(join(cache, 'habitus'), 0o777);
    expect(await used({ XDG_CACHE_HOME: cache })).toEqual([]);
  });

  it('is not kept where there is no folder, without a word', async () => {
    await writeFile(join(cache, 'file'), '');
    expect(await used({ XDG_CACHE_HOME: join(cache, 'file') })).toEqual([]);
    expect(await used({})).toEqual([]);
  });

  it('is not kept by a Node that cannot, and no folder is made', async () => {
    await keepCompiled({ XDG_CACHE_HOME: cache }, {});
    expect(await readdir(cache)).toEqual([]);
  });
});

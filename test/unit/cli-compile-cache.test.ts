import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import module, { createRequire } from 'node:module';
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
  await keepCompiled(env, cache, { enableCompileCache: (folder) => folders.push(folder) });
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
});

describe('what is compiled, for a Node without a cache of its own,', () => {
  const load = createRequire(import.meta.url);
  const loader = module.prototype as unknown as { _compile: unknown };
  const original = loader._compile;
  afterEach(() => {
    loader._compile = original;
  });

  const program = () => join(cache, 'program');
  const kept = () => join(cache, 'habitus', 'chunks');

  /** One run of the program whose file holds this. @returns its exports, and the inodes of the cache's files after it */
  async function runWith(content: string): Promise<{ exports: unknown; inodes: readonly number[] }> {
    await mkdir(program(), { recursive: true });
    const file = join(program(), 'main.cjs');
    await writeFile(file, content);
    Reflect.deleteProperty(load.cache, file);
    const compiled = await keepCompiled({ XDG_CACHE_HOME: cache }, program(), {});
    const exports: unknown = load(file);
    await compiled.save();
    loader._compile = original;
    const files = await readdir(kept());
    const inodes = await Promise.all(files.map(async (name) => (await stat(join(kept(), name))).ino));
    return { exports, inodes };
  }

  it('is kept once, and what a file does stays the same', async () => {
    const content = 'exports.is = [require("node:path").basename(__filename), module.exports === exports];';
    const first = await runWith(content);
    const second = await runWith(content);
    expect(first.exports).toEqual({ is: ['main.cjs', true] });
    expect(second).toEqual(first);
    expect(first.inodes).toHaveLength(1);
  });

  it('is compiled anew from another text of the same length', async () => {
    const first = await runWith('exports.is = () => 1;');
    const second = await runWith('exports.is = () => 2;');
    expect((second.exports as { is: () => number }).is()).toBe(2);
    expect(second.inodes).toHaveLength(2);
    expect(second.inodes).toEqual(expect.arrayContaining([...first.inodes]));
  });

  it('is compiled anew where what was kept is damaged', async () => {
    await runWith('exports.is = 1;');
    const [name = ''] = await readdir(kept());
    const bytes = await readFile(join(kept(), name));
    bytes.fill(255, bytes.length >> 1);
    await writeFile(join(kept(), name), bytes);
    expect((await runWith('exports.is = 1;')).exports).toEqual({ is: 1 });
    expect((await readFile(join(kept(), name))).equals(bytes)).toBe(false);
  });

  it('is kept of the fifty files that were compiled last, for they change with each version', async () => {
    const contents = Array.from({ length: 60 }, (_, version) => `exports.is = ${version};`);
    for (const content of contents) await runWith(content);
    const before = await readdir(kept());
    expect(before).toHaveLength(50);
    for (const content of contents.slice(10)) await runWith(content);
    expect(await readdir(kept())).toEqual(before);
  });

  it('is not kept in a folder that others can write to', async () => {
    await mkdir(join(cache, 'habitus'));
    await chmod(join(cache, 'habitus'), 0o777);
    const compiled = await keepCompiled({ XDG_CACHE_HOME: cache }, program(), {});
    await compiled.save();
    expect(loader._compile).toBe(original);
    expect(await readdir(join(cache, 'habitus'))).toEqual([]);
  });
});

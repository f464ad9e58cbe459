/** A cache folder for the tests of one file: what they remember is nobody else's. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, vi } from 'vitest';

/** To be called once in the file, outside its tests. @returns gives the folder, to tests */
export function ownCache(): () => string {
  let cache: string | undefined;
  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), 'habitus-cache-'));
    vi.stubEnv('XDG_CACHE_HOME', cache);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    if (cache !== undefined) await rm(cache, { recursive: true, force: true });
  });
  return () => {
    if (cache === undefined) throw new Error('no test is running');
    return cache;
  };
}

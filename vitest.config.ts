/** Kinds of tests: pure ones, ones against real engines, and ones that run the program itself. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const SECOND = 1000;
// What the program remembers of tests is not the developer's.
const cache = mkdtempSync(join(tmpdir(), 'habitus-test-cache-'));
process.env['XDG_CACHE_HOME'] = cache;
process.once('exit', () => {
  rmSync(cache, { recursive: true, force: true });
});
const setup = ['test/support/global-setup.ts'];

export default defineConfig({
  test: {
    // Engines do the work of the engine tests: more workers than this only make them wait for each other.
    maxWorkers: 2,
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60 * SECOND } },
      {
        test: {
          name: 'engine',
          include: ['test/engine/**/*.test.ts'],
          globalSetup: setup,
          testTimeout: 180 * SECOND,
          hookTimeout: 180 * SECOND,
        },
      },
      {
        test: {
          // What looks at BuildKit's cache: 28.5 with the containerd store forgets the cache of all that was built on an imported base,
          // as those of the lab are, whenever a squash beside it prunes its own.
          name: 'alone',
          include: ['test/alone/**/*.test.ts'],
          globalSetup: setup,
          testTimeout: 180 * SECOND,
          hookTimeout: 180 * SECOND,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'cli',
          include: ['test/cli/**/*.test.ts'],
          globalSetup: ['test/support/compile.js', ...setup],
          testTimeout: 180 * SECOND,
          hookTimeout: 180 * SECOND,
        },
      },
    ],
  },
});

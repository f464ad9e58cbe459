/** Removes what an engine leaves behind in the machine after its processes have ended. */

import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from './error.js';
import type { Home, Layout } from './layout.js';

const CGROUPS = '/sys/fs/cgroup';

/** Control groups lie in one tree (version 2) or in one a controller (version 1). */
export async function removeControlGroups(layout: Layout): Promise<void> {
  const entries = await readdir(CGROUPS, { withFileTypes: true }).catch(() => []);
  const trees = entries.filter((entry) => entry.isDirectory()).map((entry) => join(CGROUPS, entry.name));
  for (const tree of [CGROUPS, ...trees]) await removeGroup(join(tree, layout.mark));
}

/** A control group goes with rmdir, its children first, and only when the kernel has let go of its processes. */
async function removeGroup(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return;
  for (const entry of entries) {
    if (entry.isDirectory()) await removeGroup(join(path, entry.name));
  }
  for (let tries = 0; ; tries++) {
    try {
      await rmdir(path);
      return;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      if (!hasCode(error, 'EBUSY') || tries === 40) throw error;
      await sleep(50);
    }
  }
}

/** Removes the home when no engine is left in it; a cache elsewhere was borrowed and stays. */
export async function removeEmptyHome(home: Home): Promise<void> {
  const engines = await readdir(join(home.path, 'engines')).catch(() => []);
  if (engines.length > 0) return;
  await rm(join(home.path, 'engines'), { recursive: true, force: true });
  if (home.cache.startsWith(`${home.path}/`)) await rm(home.cache, { recursive: true, force: true });
  for (const dir of [home.path, home.run]) {
    // Somebody else's file in there is none of the lab's business.
    await rmdir(dir).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT', 'ENOTEMPTY')) throw error;
    });
  }
}

/** What is written down about a started engine: enough to find, restart and remove it. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Block } from './address.js';
import type { Layout } from './layout.js';
import type { ProcessId } from './processes.js';

export interface Saved {
  readonly block: Block;
  /** Missing while the engine starts. */
  readonly process?: ProcessId;
}

/** Undefined where the engine was never started, or where the file is damaged. */
export async function load(layout: Layout): Promise<Saved | undefined> {
  try {
    return JSON.parse(await readFile(layout.state, 'utf8')) as Saved;
  } catch {
    return undefined;
  }
}

/** Writes the file whole or not at all. */
export async function save(layout: Layout, saved: Saved): Promise<void> {
  await mkdir(dirname(layout.state), { recursive: true });
  await writeFile(`${layout.state}.part`, `${JSON.stringify(saved, null, 2)}\n`);
  await rename(`${layout.state}.part`, layout.state);
}

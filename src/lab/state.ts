/** What is written down about a started engine: a restarted one needs the same addresses again. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Block } from './address.js';
import type { Layout } from './layout.js';

export interface Saved {
  readonly block: Block;
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

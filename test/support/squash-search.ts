/** Looks for bytes in all that a private engine keeps on disk: layers, blobs (gzip'd ones too), databases. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { homeOf, layoutOf } from '../../src/lab/layout.js';
import type { TestEngine } from './engines.js';

const run = promisify(execFile);

/** Larger files are no layer of a small test; databases of engines stay below. */
const LARGEST = '64M';

/**
 * Files of an engine that changed since a time and hold one of the texts.
 * @param since milliseconds since the epoch
 * @returns text → paths in the engine's data folder; every text has an entry
 */
export async function keptOnDisk(
  engine: TestEngine,
  texts: readonly string[],
  since: number,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const found: Record<string, string[]> = Object.fromEntries(texts.map((text) => [text, []]));
  if (engine.name === 'given') return found;
  const { data } = layoutOf(homeOf(process.env), engine.name);
  const changed = ['-newerct', `@${String(since / 1000)}`];
  const { stdout } = await run(
    'find',
    // Overlays in use show the same files once more, and what containers mount is none of an engine's.
    [
      data,
      '-xdev',
      '-name',
      'merged',
      '-prune',
      '-o',
      '-type',
      'f',
      ...changed,
      '-size',
      `-${LARGEST}`,
      '-print0',
    ],
    { maxBuffer: 1 << 26 },
  ).catch((error: unknown) => {
    // Engines remove files while find walks.
    if (error instanceof Error && 'stdout' in error) return { stdout: String(error.stdout) };
    throw error;
  });
  for (const path of stdout.split('\0').filter((each) => each !== '')) {
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    const readings = [bytes, ...unpacked(bytes)];
    for (const text of texts) {
      if (readings.some((reading) => reading.includes(text))) found[text]?.push(relative(data, path));
    }
  }
  return found;
}

function unpacked(bytes: Buffer): Buffer[] {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return [];
  try {
    return [gunzipSync(bytes)];
  } catch {
    return [];
  }
}

/** Runs the program in this process, with an engine that cannot be reached: a command that needs it ends with 3. */
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { main } from '../../src/cli/main.js';
import type { World } from '../../src/cli/world.js';
import * as library from '../../src/index.js';

export interface Said {
  readonly code: number;
  /** Without the folder, times and digests. */
  readonly out: string;
  readonly err: string;
}

export async function runOffline(
  folder: string,
  args: readonly string[],
  more: Partial<World> = {},
): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const world: World = {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    env: {},
    signals: new EventEmitter(),
    onCrash: () => undefined,
    exit: () => undefined,
    flushed: () => Promise.resolve(undefined),
    openStdout: () => new PassThrough(),
    loadLibrary: () => Promise.resolve(library),
    ...more,
  };
  const code = await main([...args, '--host', 'unix:///run/habitus-no-such.sock'], world);
  const clean = (text: string): string =>
    text
      .replaceAll(`${folder}/`, '')
      .replaceAll(/\d+(\.\d+)? m?s\b/g, '<time>')
      .replaceAll(/[0-9a-f]{12,64}/g, '<hex>');
  return { code, out: clean(out.join('')), err: clean(err.join('')) };
}

/** The cache of compiled code, in the user's own folder: a program that is started often is compiled once. */
import module from 'node:module';
import { join } from 'node:path';
import { CacheStore } from '../cache/store.js';
import { makePrivate, userFolder } from '../core/user-folder.js';

/** From Node 22.1 on: https://nodejs.org/api/module.html#moduleenablecompilecachecachedir */
interface CompileCache {
  readonly enableCompileCache?: (folder: string) => unknown;
}

export interface Compiled {
  /** Call it when the program has done its work. Never rejects. */
  save(): Promise<void>;
}

/**
 * What is loaded after this is compiled once. Where that cannot be, nothing is said: it only takes longer.
 * @param program absolute: the folder of the program's files, for a Node that has no such cache
 */
export async function keepCompiled(
  env: Readonly<Record<string, string | undefined>>,
  program: string,
  { enableCompileCache }: CompileCache = module as CompileCache,
): Promise<Compiled> {
  const folder = userFolder(env);
  if (folder.state === 'off') return NOTHING;
  try {
    // Whoever could write there could choose what runs.
    await makePrivate(folder.path);
    if (enableCompileCache === undefined) {
      const { CompiledChunks } = await import('./compiled-chunks.js');
      return CompiledChunks.open(program, new CacheStore(folder));
    }
    enableCompileCache(join(folder.path, 'compiled'));
  } catch {
    // No folder can be made, or others may write to it.
  }
  return NOTHING;
}

/** Nothing is kept, or Node keeps it. */
const NOTHING: Compiled = { save: () => Promise.resolve() };

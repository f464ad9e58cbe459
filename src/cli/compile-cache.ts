/** Node's cache of compiled code, in the user's own folder: a program that is started often is compiled once. */
import module from 'node:module';
import { join } from 'node:path';
import { makePrivate, userFolder } from '../core/user-folder.js';

/** From Node 22.1 on: https://nodejs.org/api/module.html#moduleenablecompilecachecachedir */
interface CompileCache {
  readonly enableCompileCache?: (folder: string) => unknown;
}

/** What is loaded after this is compiled once. Where that cannot be, nothing is said: it only takes longer. */
export async function keepCompiled(
  env: Readonly<Record<string, string | undefined>>,
  { enableCompileCache }: CompileCache = module as CompileCache,
): Promise<void> {
  const folder = userFolder(env);
  if (enableCompileCache === undefined || folder.state === 'off') return;
  try {
    // Whoever could write there could choose what runs.
    await makePrivate(folder.path);
    enableCompileCache(join(folder.path, 'compiled'));
  } catch {
    // No folder can be made, or others may write to it.
  }
}

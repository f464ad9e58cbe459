/** Checks `-d` before anything else is done with it. */
import { stat } from 'node:fs/promises';
import { UsageError } from '../core/errors.js';

/** @throws {UsageError} unless it is a folder, or not given */
export async function checkWorkDirectory(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  const what = found === undefined ? 'does not exist' : 'is not a folder';
  const hint =
    found === undefined
      ? 'Give an existing folder with -d DIR.'
      : `A build file is named with -f: -f ${path}.`;
  throw new UsageError(`the work directory ${JSON.stringify(path)} ${what}`, { hint });
}

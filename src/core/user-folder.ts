/** Where this user's Habitus keeps what it remembers between sessions. */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, open, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

export type UserFolder =
  | { readonly state: 'on'; /** Absolute; it need not exist. */ readonly path: string }
  | { readonly state: 'off'; /** One sentence without final period. */ readonly reason: string };

/** So begin the names of files that are being written. */
export const TEMPORARY = '.writing-';

const OTHERS_MAY_WRITE = 0o022;

/**
 * `$XDG_CACHE_HOME/habitus`, by default `~/.cache/habitus`. A relative `XDG_CACHE_HOME` is to be ignored:
 * https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function userFolder(env: Readonly<Record<string, string | undefined>>): UserFolder {
  const { XDG_CACHE_HOME: cache = '', HOME: home = '' } = env;
  if (isAbsolute(cache)) return { state: 'on', path: join(cache, 'habitus') };
  if (isAbsolute(home)) return { state: 'on', path: join(home, '.cache', 'habitus') };
  return { state: 'off', reason: 'neither XDG_CACHE_HOME nor HOME names a folder' };
}

/**
 * Makes the folder, for its owner only. One that others can write to is refused: what it holds decides which images pass
 * for built.
 * @throws what the file system says, or an Error whose message is a sentence without final period
 */
export async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = await lstat(folder);
  if ((mode & OTHERS_MAY_WRITE) !== 0 || uid !== process.getuid?.()) {
    throw new Error(`others may write to ${folder}`);
  }
}

/**
 * Write a file whole under a temporary name beside the final one, and give it its name by `place`.
 * @param place moves or links the temporary file; what is left of that one is removed afterwards
 * @param lasts `for good`: it is on the disk before it has its name. `if all goes well`: after a power cut there may be a part of it, or
 *   nothing, under that name, which whoever reads it has to notice; the disk, which is the engine's too, need not be waited for
 * @throws what the file system says
 */
export async function writeWhole(
  folder: string,
  content: Buffer | string,
  place: (temporary: string) => Promise<void>,
  lasts: 'for good' | 'if all goes well',
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `${TEMPORARY}${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      if (lasts === 'for good') await file.datasync();
    } finally {
      await file.close();
    }
    await place(temporary);
  } finally {
    await rm(temporary, { force: true });
  }
}

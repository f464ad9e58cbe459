/** Where this user's Habitus keeps what it remembers between sessions: a folder nobody else may look into. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * `$XDG_CACHE_HOME/habitus`, by default `~/.cache/habitus`; it need not exist.
 * A relative `XDG_CACHE_HOME` is to be ignored: https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function memoryFolder(env: Readonly<Record<string, string | undefined>>): string {
  const { XDG_CACHE_HOME: base = '' } = env;
  return join(isAbsolute(base) ? base : join(homedir(), '.cache'), 'habitus');
}

/**
 * Write a file whole under a temporary name beside the final one, and give it its name by `place`.
 * @param place moves or links the temporary file; what is left of that one is removed afterwards
 * @throws what the file system says
 */
export async function writeWhole(
  folder: string,
  content: Buffer | string,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      // Else a power cut may leave an empty file under the final name.
      await file.datasync();
    } finally {
      await file.close();
    }
    await place(temporary);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Temporary files without a name: nobody else can open them, and they are gone with their last user, however that ends. */
import { constants } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';

/** O_TMPFILE of Linux, which Node has no name for: https://man7.org/linux/man-pages/man2/open.2.html. Never to be linked. */
const WITHOUT_NAME = constants.O_RDWR | constants.O_EXCL | constants.O_DIRECTORY | 0o20000000;

/**
 * Mode 0600. What it holds may be secret: it never had a name, or where the file system cannot do that, it loses it before the first
 * byte is written.
 * @param folder where it takes its room; default: TMPDIR
 * @throws the system's error, e.g. ENOENT where there is no such folder
 */
export async function openUnlinked(folder: string = tmpdir()): Promise<FileHandle> {
  if (process.platform !== 'linux') return openAndUnlink(folder);
  return open(folder, WITHOUT_NAME, 0o600).catch(() => openAndUnlink(folder));
}

/** @throws the system's error */
export async function openAndUnlink(folder: string): Promise<FileHandle> {
  const { tmpName } = await import('tmp-promise');
  const path = await tmpName({ prefix: 'habitus', tmpdir: folder });
  const file = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

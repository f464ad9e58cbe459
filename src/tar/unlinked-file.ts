/** Temporary files without a name: nobody else can open them, and they are gone with their last user, however that ends. */
import { open, unlink, type FileHandle } from 'node:fs/promises';

/**
 * Mode 0600, and unlinked before the first byte is written: what it holds may be secret.
 * @param folder where it takes its room; default: TMPDIR
 * @throws the system's error, e.g. ENOENT where there is no such folder
 */
export async function openUnlinked(folder?: string): Promise<FileHandle> {
  const { tmpName } = await import('tmp-promise');
  const path = await tmpName({ prefix: 'habitus', ...(folder !== undefined && { tmpdir: folder }) });
  const file = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

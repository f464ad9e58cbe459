/** Digests of secrets under a key of this user: they tell whether a value has changed, and nothing to who lacks the key. */
import { createHmac, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivate, writeWhole, type UserFolder } from '../core/user-folder.js';

const KEY_BYTES = 32;

export type DigestKey =
  | { readonly kind: 'lasting'; readonly key: Buffer }
  /** Digests differ from those of any other process, so every secret looks changed. */
  | {
      readonly kind: 'process';
      readonly key: Buffer;
      /** Without a final period. */ readonly reason: string;
    };

/**
 * The key in `<folder>/secret-key`, made at its first use; processes that start together agree on one.
 * Never rejects: where the folder is of no use, the key lives as long as this process.
 */
export async function openDigestKey(folder: UserFolder): Promise<DigestKey> {
  if (folder.state === 'off') return { kind: 'process', key: randomBytes(KEY_BYTES), reason: folder.reason };
  const file = join(folder.path, 'secret-key');
  try {
    await makePrivate(folder.path);
    return { kind: 'lasting', key: (await readKey(file)) ?? (await createKey(folder.path, file)) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'process', key: randomBytes(KEY_BYTES), reason };
  }
}

/** HMAC-SHA256, hex. */
export function digestOf(key: Buffer, value: Buffer): string {
  return createHmac('sha256', key).update(value).digest('hex');
}

/** `undefined` where there is none yet. */
async function readKey(file: string): Promise<Buffer | undefined> {
  const opened = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    },
  );
  if (opened === undefined) return undefined;
  try {
    const { mode, uid, size } = await opened.stat();
    // With a key that others know, short secrets could be guessed from their digests.
    if ((mode & 0o077) !== 0 || uid !== process.getuid?.()) {
      throw new Error(`${file} is open to others; remove it`);
    }
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || size !== KEY_BYTES) {
      throw new Error(`${file} is not a key of ${KEY_BYTES} bytes; remove it`);
    }
    return await opened.readFile();
  } finally {
    await opened.close();
  }
}

async function createKey(folder: string, file: string): Promise<Buffer> {
  const place = async (temporary: string): Promise<void> => {
    try {
      // Not a rename, which would take away the key that another process has just begun to use.
      await link(temporary, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  };
  await writeWhole(folder, randomBytes(KEY_BYTES), place, 'for good');
  const key = await readKey(file);
  if (key === undefined) throw new Error(`${file} is gone right after it was written`);
  return key;
}

/** Hashes a file that must not change meanwhile: SHA-256 of its content, if it was the same before and after. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { unreadable } from '../tar/local-file.js';
import { locationOf } from '../tar/paths.js';
import { sameStat, type EntryStat } from '../tar/stat-rows.js';

/** Not through a symlink that took the file's place, not waiting for a writer of a fifo that did. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Up to this size reading takes no longer than asking for it. */
export const SMALL = 1 << 18;
const CHUNK = 1 << 20;

const shared = Buffer.allocUnsafeSlow(SMALL);

/**
 * @param before of a file of at most SMALL bytes
 * @returns the digest's bytes as latin1; `undefined` where the file is not, or does not stay, in the state of `before`
 * @throws ContextError naming a file that cannot be read
 */
export function hashSmall(directory: string, path: string, before: EntryStat): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(locationOf(directory, path), FLAGS);
    const size = Number(before.size);
    let used = 0;
    for (let got = -1; got !== 0 && used < size; used += got) {
      got = readSync(file, shared, used, size - used, null);
    }
    if (used !== size || !sameStat(before, fstatSync(file, { bigint: true }))) return undefined;
    return createHash('sha256').update(shared.subarray(0, used)).digest('binary');
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** As `hashSmall`, for files of any size; memory: 1 MiB. Rejects with the signal's reason on abort. */
export async function hashLarge(
  directory: string,
  path: string,
  before: EntryStat,
  signal: AbortSignal,
): Promise<string | undefined> {
  const file = await open(locationOf(directory, path), FLAGS).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    let left = before.size;
    while (left > 0n) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, buffer.length).catch((error: unknown) => {
        throw unreadable(path, error);
      });
      if (bytesRead === 0) return undefined;
      left -= BigInt(bytesRead);
      hash.update(buffer.subarray(0, bytesRead));
    }
    const same = left === 0n && sameStat(before, await file.stat({ bigint: true }));
    return same ? hash.digest('binary') : undefined;
  } finally {
    await file.close();
  }
}

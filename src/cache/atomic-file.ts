/** Files that are whole or not there: written beside and renamed, sealed by a checksum, read without trust. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Part of every seal: what another version of the format wrote is nobody's. */
const FORMAT = 1;
const CHECKSUM_BYTES = 32;
/** So begin the names of files that are being written. */
export const TEMPORARY = '.writing-';

/**
 * Concurrent writers need no lock: the last one wins, and a reader sees one whole file or the other. Not synced to disk: what
 * a power cut leaves is noticed by the checksum.
 * @param kind what the content is; only who reads the same kind gets it
 * @throws what the file system says; nothing is left then
 */
export async function writeSealed(file: string, kind: string, content: Buffer): Promise<void> {
  const temporary = join(
    dirname(file),
    `${TEMPORARY}${randomBytes(6).toString('hex')}-${basename(file).slice(0, 64)}`,
  );
  try {
    await writeFile(temporary, Buffer.concat([seal(kind, content), content]), { mode: 0o600, flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** @returns the content as it was written; `undefined` where there is none, or it is not exactly that */
export async function readSealed(file: string, kind: string): Promise<Buffer | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  const headEnd = titleOf(kind).length + CHECKSUM_BYTES;
  if (bytes === undefined || bytes.length < headEnd) return undefined;
  const content = bytes.subarray(headEnd);
  return bytes.subarray(0, headEnd).equals(seal(kind, content)) ? content : undefined;
}

function seal(kind: string, content: Buffer): Buffer {
  const title = titleOf(kind);
  return Buffer.concat([title, createHash('sha256').update(title).update(content).digest()]);
}

function titleOf(kind: string): Buffer {
  return Buffer.from(`habitus ${kind} ${FORMAT}\n`);
}

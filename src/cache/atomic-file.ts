/** Files that are whole or count for nothing: written beside and renamed, sealed by a checksum, read without trust. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeWhole } from '../core/user-folder.js';

/** Part of every seal: what another version of the format wrote is nobody's. */
const FORMAT = 3;
const CHECKSUM_BYTES = 32;

/**
 * Concurrent writers need no lock: the last one wins, and a reader sees one whole file or the other.
 * @param kind what the content is; only who reads the same kind gets it
 * @throws what the file system says; nothing is left then
 */
export async function writeSealed(file: string, kind: string, content: Buffer): Promise<void> {
  const sealed = Buffer.concat([seal(kind, content), content]);
  await writeWhole(dirname(file), sealed, (temporary) => rename(temporary, file), 'if all goes well');
}

/** @returns the content as it was written; `undefined` where there is none, or it is not exactly that */
export async function readSealed(file: string, kind: string): Promise<Buffer | undefined> {
  return unseal(await readFile(file).catch(() => undefined), kind);
}

/** See {@link readSealed}. */
export function readSealedSync(file: string, kind: string): Buffer | undefined {
  try {
    return unseal(readFileSync(file), kind);
  } catch {
    return undefined;
  }
}

function unseal(bytes: Buffer | undefined, kind: string): Buffer | undefined {
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

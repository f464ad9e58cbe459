/** Writes an artifact below the work directory, for users who asked to keep artifacts. */
import { randomBytes } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { chmod, lchown, link, lstat, lutimes, mkdir, open, rename, rm, symlink } from 'node:fs/promises';
import type { Artifact } from './artifact.js';
import type { ContextEntry } from './context.js';
import { ContextError } from './errors.js';
import { locate, parentOf, shown } from './paths.js';

/** A file must not exist yet, not even as a symlink. */
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Files, symlinks and hard links are made under a temporary name and then renamed, so a reader sees the old or the new
 * one. Existing folders are kept and get the artifact's mode and time. Owners are set when running as root. Symlinks in the
 * folder are never followed. Extended attributes are not set: Node cannot.
 *
 * On failure or abort what was written stays; no temporary name does.
 * @param directory absolute
 * @throws ContextError
 */
export async function writeArtifact(
  artifact: Artifact,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  for (const entry of artifact.entries) refuseDevices(entry);
  const safe = new Set<string>();
  for (const entry of artifact.entries) {
    signal.throwIfAborted();
    await makeFolders(directory, entry.type === 'directory' ? entry.path : parentOf(entry.path), safe);
    if (entry.type !== 'directory') await writeEntry(artifact, directory, entry, signal);
  }
  // Children first, since writing a child changes its folder's time, and a mode may forbid to enter.
  for (const entry of artifact.entries.toReversed()) {
    if (entry.type === 'directory') await setMetadata(locate(directory, entry.path), entry);
  }
}

function refuseDevices({ path, type }: ContextEntry): void {
  switch (type) {
    case 'file':
    case 'directory':
    case 'symlink':
    case 'hardlink':
      return;
    case 'character':
    case 'block':
    case 'fifo':
      throw new ContextError(`Cannot keep the artifact ${shown(path)}: it is a device or a pipe`, {
        hint: 'Take an artifact without it, or build without --keep-artifacts.',
      });
  }
}

/** Make sure that a folder and all above it are real folders, not symlinks. `safe` holds those known. */
async function makeFolders(directory: string, path: string, safe: Set<string>): Promise<void> {
  if (path === '' || safe.has(path)) return;
  await makeFolders(directory, parentOf(path), safe);
  const place = locate(directory, path);
  const found = await find(place);
  if (!found) await mkdir(place, 0o755).catch(failed(path));
  else if (!found.isDirectory())
    throw inTheWay(path, found.isSymbolicLink() ? 'a symlink' : 'a file', 'a folder');
  safe.add(path);
}

async function writeEntry(
  artifact: Artifact,
  directory: string,
  entry: ContextEntry,
  signal: AbortSignal,
): Promise<void> {
  const place = locate(directory, entry.path);
  const found = await find(place);
  if (found?.isDirectory()) throw inTheWay(entry.path, 'a folder', 'a file');
  const name = `.habitus-${randomBytes(9).toString('hex')}`;
  const parent = parentOf(entry.path);
  const temporary = locate(directory, parent === '' ? name : `${parent}/${name}`);
  try {
    await create(artifact, directory, entry, temporary, signal);
    await rename(temporary, place);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof ContextError ? error : failure(entry.path, error);
  } finally {
    // Also after success: rename of one hard link onto another of the same file does nothing (rename(2)).
    await rm(temporary, { force: true });
  }
}

async function create(
  artifact: Artifact,
  directory: string,
  entry: ContextEntry,
  temporary: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const target = Buffer.from(entry.linkname ?? '', 'latin1');
  if (entry.type === 'hardlink') {
    await link(locate(directory, entry.linkname ?? ''), temporary);
    return;
  }
  if (entry.type === 'symlink') await symlink(target, temporary);
  else {
    const file = await open(temporary, CREATE, 0o600);
    try {
      for await (const chunk of artifact.open(entry, signal)) await file.writeFile(chunk as Buffer);
    } finally {
      await file.close();
    }
  }
  await setMetadata(temporary, entry);
}

/** The owner first: changing it clears setuid. */
async function setMetadata(place: Buffer, entry: ContextEntry): Promise<void> {
  const seconds = Number(entry.mtimeNs) / 1e9;
  try {
    if (process.getuid?.() === 0) await lchown(place, entry.uid, entry.gid);
    if (entry.type !== 'symlink') await chmod(place, entry.mode);
    await lutimes(place, seconds, seconds);
  } catch (error) {
    throw failure(entry.path, error);
  }
}

async function find(place: Buffer): Promise<BigIntStats | undefined> {
  return lstat(place, { bigint: true }).catch((): undefined => undefined);
}

function inTheWay(path: string, present: string, wanted: string): ContextError {
  return new ContextError(
    `Cannot keep the artifact ${shown(path)}: it is ${wanted}, but ${present} is in its place`,
    {
      hint: 'Move that away, give the artifact another destination, or build without --keep-artifacts.',
    },
  );
}

function failed(path: string): (error: unknown) => never {
  return (error) => {
    throw failure(path, error);
  };
}

function failure(path: string, error: unknown): ContextError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return new ContextError(`Cannot write the artifact ${shown(path)}: ${code}`, {
    hint: 'Check the permissions and the free space of the work directory.',
    cause: error,
  });
}

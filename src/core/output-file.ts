/** Writes a file whole or not at all: under another name beside it, which becomes its own at the end. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ImageCommandError, UsageError } from './errors.js';

/** As `docker save -o` does: an image may hold what others must not read. */
const MODE = 0o600;

/**
 * Find out before the work whether the file can be written.
 * @returns its path, symlinks resolved, so that a link stays one
 * @throws UsageError
 */
export async function checkOutputFile(path: string): Promise<string> {
  const fail = (why: string, hint: string): never => {
    throw new UsageError(`the output ${JSON.stringify(path)} ${why}`, { hint });
  };
  if (path === '') fail('has no name', 'Give a path, or "-" for standard output.');
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) fail('is a folder', 'Give the path of a file in it.');
  if (found !== undefined && !found.isFile())
    fail('is no ordinary file', 'Give another path, or "-" for standard output.');
  const target = found === undefined ? resolve(path) : await realpath(path);
  const folder = dirname(target);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      fail('is in a folder that does not exist', `Make the folder first: mkdir -p ${dirname(path)}`);
    fail(`cannot be written: ${code ?? String(cause)}`, 'Choose a folder that you may write to.');
  }
  return target;
}

/**
 * @param target as `checkOutputFile` gives it
 * @throws ImageCommandError for what the file system refuses, the stream's error, or the signal's reason; the file is as
 * before then
 */
export async function writeOutputFile(target: string, content: Readable, signal: AbortSignal): Promise<void> {
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    // Flushed before it gets its name: after a power cut there is the old file or the new one.
    const file = await open(temporary, 'wx', MODE);
    await pipeline(content, file.createWriteStream({ flush: true }), { signal });
    signal.throwIfAborted();
    await rename(temporary, target);
  } catch (error) {
    content.destroy();
    await rm(temporary, { force: true });
    signal.throwIfAborted();
    throw writeFailure(error, JSON.stringify(target));
  }
}

/** What a user reads where writing failed. @param target as it is to be named */
export function writeFailure(error: unknown, target: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const hint =
    code === 'EPIPE'
      ? 'The program that read it has ended; look at what it said.'
      : 'Nothing was left; the image is as it was.';
  return new ImageCommandError(`${target} could not be written: ${code}`, { cause: error, hint });
}

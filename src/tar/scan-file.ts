/** Lists the entries of an archive that lies in an open file, without reading the bodies of large files. */
import type { FileHandle } from 'node:fs/promises';
import { TarError } from './errors.js';
import { TarScanner, type RawEntry } from './raw.js';

const CHUNK = 1 << 18;

/**
 * @param range of the archive in the file, in bytes; the offsets of the entries are those of the file
 * @throws TarError, or the error of reading
 */
export async function* scanFile(
  file: FileHandle,
  range: { readonly start: number; readonly end: number },
  signal: AbortSignal,
): AsyncGenerator<RawEntry> {
  const scanner = new TarScanner(range.start);
  const buffer = Buffer.allocUnsafe(CHUNK);
  while (scanner.offset < range.end && !scanner.finished) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(
      buffer,
      0,
      Math.min(CHUNK, range.end - scanner.offset),
      scanner.offset,
    );
    if (bytesRead === 0) break;
    for (const event of scanner.feed(buffer.subarray(0, bytesRead))) {
      if (event.type === 'entry') yield event.entry;
    }
    if (scanner.skippable >= CHUNK) scanner.skip();
  }
  if (scanner.offset > range.end) throw new TarError('the archive is cut off', range.end);
  scanner.end();
}

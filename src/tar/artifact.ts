/** Artifacts: what a step leaves for others, kept as one unlinked temp file and an index of its entries. */
import { tmpdir } from 'node:os';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { indexArtifact, type ArtifactSource, type IndexedEntry } from './artifact-index.js';
import type { ContextEntry } from './context.js';
import { ContextError, TarError } from './errors.js';
import { shown } from './paths.js';
import { TarScanner, type RawEntry } from './raw.js';
import { openUnlinked } from './unlinked-file.js';

/** Larger ones pile up before the garbage collector takes notice: with 1 MiB the process grew by 40 MB more. */
const CHUNK = 1 << 17;

/** Files taken out of an image. Its owner disposes it; until then it holds disk space and one descriptor. */
export interface Artifact extends AsyncDisposable {
  readonly source: ArtifactSource;
  /** In fsutil's order; paths are relative to the work directory. Parents above the artifact itself are not among them. */
  readonly entries: readonly ContextEntry[];
  /** The content of a `file` entry of `entries`. */
  open(entry: ContextEntry, signal: AbortSignal): Readable;
}

/**
 * Take the answer of `GET /containers/{id}/archive?path=SOURCE`. Content goes to disk (TMPDIR) as it comes; memory grows
 * with the number of entries only. The stream is destroyed on failure.
 * @throws TarError when it is not a whole tar archive
 * @throws ContextError when its entries cannot be an artifact, or the disk is full
 */
export async function spoolArtifact(
  stream: Readable,
  source: ArtifactSource,
  signal: AbortSignal,
): Promise<Artifact> {
  const abort = () => stream.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  // A failure before the first read would have no listener; `spool` still sees it then.
  stream.on('error', () => undefined);
  let file: FileHandle | undefined;
  try {
    signal.throwIfAborted();
    file = await openUnlinked().catch(rethrowDiskError);
    const raw = await spool(stream, file);
    return new SpooledArtifact(source, indexArtifact(raw, source), file);
  } catch (error) {
    stream.destroy();
    await file?.close();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function spool(stream: Readable, file: FileHandle): Promise<RawEntry[]> {
  const entries: RawEntry[] = [];
  const scanner = new TarScanner();
  for await (const piece of stream) {
    const chunk = piece as Buffer;
    for (const event of scanner.feed(chunk)) if (event.type === 'entry') entries.push(event.entry);
    for (let written = 0; written < chunk.length;) {
      written += (await file.write(chunk, written).catch(rethrowDiskError)).bytesWritten;
    }
  }
  scanner.end();
  // Without the end mark there is no telling an archive that was cut between two entries from a whole one.
  if (!scanner.finished) throw new TarError('the archive is cut off', scanner.offset);
  return entries;
}

class SpooledArtifact implements Artifact {
  readonly source: ArtifactSource;
  readonly entries: readonly ContextEntry[];
  readonly #data: ReadonlyMap<ContextEntry, number>;
  readonly #file: FileHandle;

  constructor(source: ArtifactSource, index: readonly IndexedEntry[], file: FileHandle) {
    this.source = source;
    this.entries = index.map(({ entry }) => entry);
    this.#data = new Map(
      index.filter(({ entry }) => entry.type === 'file').map(({ entry, data }) => [entry, data]),
    );
    this.#file = file;
  }

  open(entry: ContextEntry, signal: AbortSignal): Readable {
    const start = this.#data.get(entry);
    if (start === undefined) throw new TypeError(`${shown(entry.path)} is not a file of this artifact`);
    return Readable.from(this.#read(start, start + entry.size, signal), { objectMode: false });
  }

  async *#read(start: number, end: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    for (let at = start; at < end;) {
      signal.throwIfAborted();
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, end - at));
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new TarError('the spooled artifact is cut off', at);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function rethrowDiskError(error: unknown): never {
  throw diskError(error);
}

function diskError(error: unknown): ContextError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const reason = code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full' : code;
  return new ContextError(`Cannot store an artifact in ${tmpdir()}: ${reason}`, {
    hint: 'Make room there, or set TMPDIR to a folder on a larger disk.',
    cause: error,
  });
}

/** Artifacts whose contents stay where they are until somebody asks for one. */
import { Readable } from 'node:stream';
import { indexArtifact, type ArtifactSource } from './artifact-index.js';
import { spoolArtifact, type Artifact } from './artifact.js';
import type { ContextEntry } from './context.js';
import { TarError } from './errors.js';
import { shown } from './paths.js';
import { TarScanner, type RawEntry } from './raw.js';

/**
 * Read what an archive lists, and forget its contents.
 * @param fetch opens the same archive once more; called at most once, by the first who opens a file
 * @throws as `spoolArtifact`; the stream is destroyed then
 */
export async function deferArtifact(
  stream: Readable,
  source: ArtifactSource,
  fetch: (signal: AbortSignal) => Promise<Readable>,
  signal: AbortSignal,
): Promise<Artifact> {
  const abort = () => stream.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    const raw = await list(stream);
    return new DeferredArtifact(
      source,
      indexArtifact(raw, source).map(({ entry }) => entry),
      fetch,
    );
  } catch (error) {
    stream.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const DIRECTORY = '5';

/** Of a single file the header alone is read: nothing comes after its content, which need not leave the engine then. */
async function list(stream: Readable): Promise<readonly RawEntry[]> {
  const raw: RawEntry[] = [];
  const scanner = new TarScanner();
  for await (const piece of stream) {
    for (const event of scanner.feed(piece as Buffer)) if (event.type === 'entry') raw.push(event.entry);
    // Leaving the loop destroys the stream.
    if (raw[0] !== undefined && raw[0].type !== DIRECTORY) return raw;
  }
  scanner.end();
  if (!scanner.finished) throw new TarError('the archive is cut off', scanner.offset);
  return raw;
}

class DeferredArtifact implements Artifact {
  readonly source: ArtifactSource;
  readonly entries: readonly ContextEntry[];
  readonly #fetch: (signal: AbortSignal) => Promise<Readable>;
  readonly #files: ReadonlySet<ContextEntry>;
  readonly #end = new AbortController();
  #spooled: Promise<Artifact> | undefined;

  constructor(
    source: ArtifactSource,
    entries: readonly ContextEntry[],
    fetch: (signal: AbortSignal) => Promise<Readable>,
  ) {
    this.source = source;
    this.entries = entries;
    this.#files = new Set(entries.filter(({ type }) => type === 'file'));
    this.#fetch = fetch;
  }

  open(entry: ContextEntry, signal: AbortSignal): Readable {
    if (!this.#files.has(entry)) throw new TypeError(`${shown(entry.path)} is not a file of this artifact`);
    return Readable.from(this.#read(entry, signal), { objectMode: false });
  }

  async *#read({ path }: ContextEntry, signal: AbortSignal): AsyncGenerator<Buffer> {
    // Several ask at once: no one's signal may end it for the others.
    this.#spooled ??= this.#spool(this.#end.signal);
    const spooled = await this.#spooled;
    signal.throwIfAborted();
    const entry = spooled.entries.find((other) => other.path === path);
    if (entry === undefined) throw new TarError(`${shown(path)} is no longer in its image`, 0);
    for await (const chunk of spooled.open(entry, signal)) yield chunk as Buffer;
  }

  async #spool(signal: AbortSignal): Promise<Artifact> {
    return spoolArtifact(await this.#fetch(signal), this.source, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error('the artifact is disposed'));
    const spooled = await this.#spooled?.catch(() => undefined);
    await spooled?.[Symbol.asyncDispose]();
  }
}

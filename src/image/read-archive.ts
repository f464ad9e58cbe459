/** Splits an image archive into its files, in one pass, and reads each. */
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TarError } from '../tar/errors.js';
import { TarScanner, type RawEntry, type TarEvent } from '../tar/raw.js';
import { ArchiveFileReader, type ArchiveFile, type FileReading } from './archive-file.js';
import type { ExpansionBudget } from './budget.js';
import { ImageError } from './errors.js';
import { GunzipSink, isGzipError } from './gunzip-sink.js';
import { HashThread } from './hash-thread.js';
import { quoted } from './names.js';
import { PieceSink } from './piece-sink.js';

/** Far more than the layers, configs and attestations that an image can have. */
const FILES_LIMIT = 20_000;

/** All files of an archive by their paths. */
export class ArchiveFiles {
  readonly #files = new Map<string, ArchiveFile>();
  readonly #links = new Map<string, string>();

  add(file: ArchiveFile): void {
    this.#claim(file.path);
    this.#files.set(file.path, file);
  }

  /** Old engines write equal layers once, and links to it. @param target path from the archive's root */
  link(path: string, target: string): void {
    this.#claim(path);
    this.#links.set(path, target);
  }

  get(path: string): ArchiveFile | undefined {
    let at = posix.normalize(path);
    for (let hops = 0; hops < 40; hops++) {
      const file = this.#files.get(at);
      if (file) return file;
      const target = this.#links.get(at);
      if (target === undefined) return undefined;
      at = target;
    }
    return undefined;
  }

  [Symbol.iterator](): Iterator<ArchiveFile> {
    return this.#files.values();
  }

  #claim(path: string): void {
    if (this.#files.has(path) || this.#links.has(path)) {
      throw new ImageError('corrupt', `The image archive has the file ${quoted(path)} twice`);
    }
    if (this.#files.size + this.#links.size < FILES_LIMIT) return;
    throw new ImageError('too-large', `The image archive has more than ${FILES_LIMIT} files`);
  }
}

/** Sees the archive's own bytes as they come, unpacked. */
export type ArchiveWatcher = (chunk: Buffer) => void;

/**
 * @param stream a `docker save` tar or an OCI layout as a tar, also gzip'd; it is destroyed if reading fails
 * @throws ImageError, the stream's error, or the signal's reason
 */
export async function readArchive(
  stream: Readable,
  reading: FileReading,
  signal: AbortSignal,
  watch?: ArchiveWatcher,
): Promise<ArchiveFiles> {
  signal.throwIfAborted();
  using thread = new HashThread();
  const splitter = new Splitter(reading, thread);
  const unpacker = new Unpacker(async (chunk) => {
    watch?.(chunk);
    await splitter.write(chunk);
  }, reading.budget);
  try {
    await pipeline(stream, new PieceSink(unpacker), { signal });
    const files = splitter.end();
    await reading.spool.flush();
    return files;
  } catch (error) {
    signal.throwIfAborted();
    throw archiveError(error);
  } finally {
    unpacker.destroy();
    splitter.destroy();
  }
}

function archiveError(error: unknown): unknown {
  const hint = 'Save the image again: the archive seems to be cut off or changed.';
  if (error instanceof TarError) {
    if (error.offset === 0)
      return new ImageError('not-an-image', 'The input is not an image archive', {
        cause: error,
        hint: 'Pass what `docker save` writes, or an OCI image layout as a tar file.',
      });
    const trouble = error.message.endsWith('cut off') ? 'truncated' : 'corrupt';
    return new ImageError(trouble, `The image archive is damaged: ${error.message}`, { cause: error, hint });
  }
  if (isGzipError(error))
    return new ImageError('corrupt', `The image archive is not sound gzip data: ${error.message}`, {
      cause: error,
      hint,
    });
  return error;
}

/** Gunzips the whole input where it starts as gzip does. */
class Unpacker {
  readonly #consume: (chunk: Buffer) => Promise<void>;
  readonly #budget: ExpansionBudget;
  #gunzip: GunzipSink | 'no' | undefined;
  #first = Buffer.alloc(0);

  constructor(consume: (chunk: Buffer) => Promise<void>, budget: ExpansionBudget) {
    this.#consume = consume;
    this.#budget = budget;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#budget.read(chunk.length);
    if (this.#gunzip !== undefined) {
      await this.#pass(chunk);
      return;
    }
    this.#first = Buffer.concat([this.#first, chunk]);
    if (this.#first.length >= 2) await this.#start();
  }

  async end(): Promise<void> {
    if (this.#gunzip === undefined) await this.#start();
    if (this.#gunzip instanceof GunzipSink) await this.#gunzip.end();
  }

  destroy(): void {
    if (this.#gunzip instanceof GunzipSink) this.#gunzip.destroy();
  }

  async #start(): Promise<void> {
    const gzip = this.#first[0] === 0x1f && this.#first[1] === 0x8b;
    this.#gunzip = gzip
      ? new GunzipSink((bytes) => {
          this.#budget.unpack(bytes.length, 'the archive itself');
          return this.#consume(bytes);
        })
      : 'no';
    await this.#pass(this.#first);
    this.#first = Buffer.alloc(0);
  }

  async #pass(chunk: Buffer): Promise<void> {
    if (this.#gunzip instanceof GunzipSink) await this.#gunzip.write(chunk);
    else await this.#consume(chunk);
  }
}

class Splitter {
  readonly #reading: FileReading;
  readonly #thread: HashThread;
  readonly #scanner = new TarScanner();
  readonly #files = new ArchiveFiles();
  #current: ArchiveFileReader | undefined;

  constructor(reading: FileReading, thread: HashThread) {
    this.#reading = reading;
    this.#thread = thread;
  }

  async write(chunk: Buffer): Promise<void> {
    for (const event of this.#scanner.feed(chunk)) await this.#event(event);
  }

  end(): ArchiveFiles {
    if (this.#scanner.offset === 0) throw new TarError('the input is empty', 0);
    this.#scanner.end();
    return this.#files;
  }

  destroy(): void {
    this.#current?.destroy();
  }

  async #event(event: TarEvent): Promise<void> {
    switch (event.type) {
      case 'entry':
        this.#entry(event.entry);
        return;
      case 'body':
        await this.#current?.write(event.bytes);
        return;
      case 'entry-end':
        if (this.#current) this.#files.add(await this.#current.end());
        this.#current = undefined;
    }
  }

  #entry(entry: RawEntry): void {
    const path = posix.normalize(entry.path);
    switch (entry.type) {
      case '0':
      case '7':
        this.#current = new ArchiveFileReader(
          path,
          entry.size,
          this.#reading,
          this.#thread.hasherFor(entry.size),
        );
        return;
      case '1':
        this.#files.link(path, posix.normalize(entry.linkname));
        return;
      case '2':
        this.#files.link(path, posix.join(posix.dirname(path), entry.linkname));
        return;
      case '5':
        return;
      default:
        throw new ImageError(
          'not-an-image',
          `The input is not an image archive: it has ${quoted(entry.path)}, which is neither a file nor a folder`,
        );
    }
  }
}

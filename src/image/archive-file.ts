/** Reads one file of an image archive: hashes it, unpacks it, and tells layers from the rest by their content. */
import { createHash, type Hash } from 'node:crypto';
import { TarError } from '../tar/errors.js';
import { BLOCK, isZeroBlock, readHeader } from '../tar/raw-header.js';
import type { RawEntry } from '../tar/raw.js';
import type { ExpansionBudget } from './budget.js';
import type { LayerProblem } from './errors.js';
import { GunzipSink, isGzipError } from './gunzip-sink.js';
import type { Hasher } from './hash-thread.js';
import { LayerIndexer, type LayerIndex } from './layer-index.js';
import { namedDigest } from './locate.js';
import type { SpoolFile } from './spool-file.js';

/** Configs and manifests are far smaller; anything larger is of no use here. */
const DATA_LIMIT = 1 << 24;

/** What to keep of a layer, once its diff ID is known. */
export type Keep = 'bytes' | 'index' | 'nothing';

/** A layer, wherever it is in the image. */
export interface LayerContent {
  readonly kind: 'layer';
  readonly compression: 'none' | 'gzip';
  /** sha256 of the unpacked bytes. */
  readonly diffId: string;
  /** Unpacked bytes. */
  readonly size: number;
  /** Where the unpacked bytes are in the spool, if they were kept. */
  readonly start: number | undefined;
  /** If it was kept. */
  readonly index: LayerIndex | undefined;
}

export type FileContent =
  | LayerContent
  /** Looks like a layer but cannot be unpacked. */
  | { readonly kind: 'unreadable'; readonly problem: LayerProblem }
  /** Anything small that is no layer; `size` bytes in the spool from `start` on. */
  | { readonly kind: 'data'; readonly start: number }
  /** Not looked at: no layer, and too large for a config. */
  | { readonly kind: 'skipped' };

/** A file of an image archive after it went by. */
export interface ArchiveFile {
  readonly path: string;
  /** As it is in the archive. */
  readonly size: number;
  readonly digest: string;
  readonly content: FileContent;
}

/** What reading a file needs. */
export interface FileReading {
  readonly spool: SpoolFile;
  readonly budget: ExpansionBudget;
  readonly keep: (diffId: string) => Keep;
  /** Called when a layer starts: what it returns sees the layer's entries and bytes. */
  readonly watch?: (path: string) => LayerWatcher;
}

/** Looks on while a layer goes by. */
export interface LayerWatcher {
  entry(entry: RawEntry): void;
  /** Unpacked bytes, after the entries in them. */
  bytes(chunk: Buffer): void;
}

/** Write the file's bytes, each time waiting until they were used, then `end`. */
export class ArchiveFileReader {
  readonly #path: string;
  readonly #size: number;
  readonly #reading: FileReading;
  readonly #hash: Hasher;
  #head: Buffer[] = [];
  #headLength = 0;
  #sink: Sink | undefined;

  constructor(path: string, size: number, reading: FileReading, hash: Hasher) {
    this.#path = path;
    this.#size = size;
    this.#reading = reading;
    this.#hash = hash;
  }

  async write(bytes: Buffer): Promise<void> {
    await this.#hash.update(bytes);
    if (this.#sink) {
      await this.#sink.write(bytes);
      return;
    }
    this.#head.push(Buffer.from(bytes));
    this.#headLength += bytes.length;
    if (this.#headLength >= Math.min(BLOCK, this.#size)) await this.#open();
  }

  async end(): Promise<ArchiveFile> {
    if (!this.#sink) await this.#open();
    const digest = `sha256:${await this.#hash.digest('hex')}`;
    const content = (await this.#sink?.end(digest)) ?? { kind: 'skipped' };
    return { path: this.#path, size: this.#size, digest, content };
  }

  /** For a reader that does not come to its end. */
  destroy(): void {
    this.#sink?.destroy?.();
  }

  async #open(): Promise<void> {
    const head = Buffer.concat(this.#head);
    this.#head = [];
    this.#sink = await openSink(head, this.#path, this.#size, this.#reading);
    await this.#sink.write(head);
  }
}

interface Sink {
  write(bytes: Buffer): Promise<void>;
  /** @param digest of the file as it is in the archive */
  end(digest: string): Promise<FileContent>;
  destroy?(): void;
}

async function openSink(head: Buffer, path: string, size: number, reading: FileReading): Promise<Sink> {
  const gzip = head[0] === 0x1f && head[1] === 0x8b;
  if (gzip || startsLikeTar(head)) {
    // Layers start at whole blocks, so that an entry's place can be told by its block.
    const start = await reading.spool.align();
    return gzip ? new GzipLayerSink(path, start, reading) : new LayerSink(path, start, reading, undefined);
  }
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return new ZstdSink();
  return size > DATA_LIMIT ? new SkipSink() : new DataSink(reading.spool);
}

function startsLikeTar(head: Buffer): boolean {
  if (head.length < BLOCK) return false;
  if (isZeroBlock(head, 0)) return true;
  try {
    readHeader(head, 0, 0);
    return true;
  } catch (error) {
    if (error instanceof TarError) return false;
    throw error;
  }
}

class DataSink implements Sink {
  readonly #spool: SpoolFile;
  readonly #start: number;

  constructor(spool: SpoolFile) {
    this.#spool = spool;
    this.#start = spool.position;
  }

  write(bytes: Buffer): Promise<void> {
    return this.#spool.append(bytes);
  }

  end(): Promise<FileContent> {
    return Promise.resolve({ kind: 'data', start: this.#start });
  }
}

class SkipSink implements Sink {
  write(): Promise<void> {
    return Promise.resolve();
  }

  end(): Promise<FileContent> {
    return Promise.resolve({ kind: 'skipped' });
  }
}

class ZstdSink extends SkipSink {
  override end(): Promise<FileContent> {
    const text = 'is compressed with zstd, which this program cannot read';
    return Promise.resolve({ kind: 'unreadable', problem: { trouble: 'unsupported', text } });
  }
}

/** Spools a layer while hashing it; whether it stays is known at its end, unless its name says that it will not. */
class LayerSink implements Sink {
  readonly #reading: FileReading;
  readonly #spools: boolean;
  readonly #indexer: LayerIndexer;
  readonly #watcher: LayerWatcher | undefined;
  readonly #start: number;
  /** Absent where the file is the layer: then its digest is the diff ID. */
  readonly #hash: Hash | undefined;
  #size = 0;

  constructor(path: string, start: number, reading: FileReading, hash: Hash | undefined) {
    this.#reading = reading;
    this.#hash = hash;
    this.#start = start;
    // A name that lies is found out by its digest.
    const named = hash === undefined ? namedDigest(path) : undefined;
    this.#spools = named === undefined || reading.keep(named) === 'bytes';
    const watcher = reading.watch?.(path);
    this.#watcher = watcher;
    this.#indexer = new LayerIndexer(
      watcher &&
        ((entry) => {
          watcher.entry(entry);
        }),
    );
  }

  async write(bytes: Buffer): Promise<void> {
    this.#size += bytes.length;
    this.#hash?.update(bytes);
    this.#indexer.feed(bytes);
    this.#watcher?.bytes(bytes);
    if (this.#spools) await this.#reading.spool.append(bytes);
  }

  async end(digest: string): Promise<LayerContent> {
    const diffId = this.#hash ? sha256(this.#hash) : digest;
    const keep = this.#reading.keep(diffId);
    const stays = this.#spools && keep === 'bytes';
    if (!stays) await this.#reading.spool.rewind(this.#start);
    const index = this.#indexer.end();
    return {
      kind: 'layer',
      compression: this.#hash ? 'gzip' : 'none',
      diffId,
      size: this.#size,
      start: stays ? this.#start : undefined,
      index: keep === 'nothing' ? undefined : index,
    };
  }
}

class GzipLayerSink implements Sink {
  readonly #layer: LayerSink;
  readonly #gunzip: GunzipSink;
  #problem: LayerProblem | undefined;

  constructor(path: string, start: number, reading: FileReading) {
    const layer = new LayerSink(path, start, reading, createHash('sha256'));
    this.#layer = layer;
    this.#gunzip = new GunzipSink(async (bytes) => {
      reading.budget.unpack(bytes.length, path);
      await layer.write(bytes);
    });
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#problem) return;
    await this.#watch(this.#gunzip.write(bytes));
  }

  async end(digest: string): Promise<FileContent> {
    if (!this.#problem) await this.#watch(this.#gunzip.end());
    const content = await this.#layer.end(digest);
    return this.#problem ? { kind: 'unreadable', problem: this.#problem } : content;
  }

  destroy(): void {
    this.#gunzip.destroy();
  }

  async #watch(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!isGzipError(error)) throw error;
      const truncated = error.message === 'unexpected end of file';
      this.#problem = {
        trouble: truncated ? 'truncated' : 'corrupt',
        text: `is not sound gzip data: ${error.message}`,
        cause: error,
      };
    }
  }
}

function sha256(hash: Hash): string {
  return `sha256:${hash.digest('hex')}`;
}

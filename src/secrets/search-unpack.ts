/** Unpacks what is written to it with one of Node's zlib streams, with backpressure, into another sink. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { Place, SearchContext, Sink } from './search-content.js';

const CHUNK = 1 << 17;

/** zlib's streams count what they used of their input. */
type Unpacker = Transform & { readonly bytesWritten: number };

export type Compression = 'gzip' | 'deflate' | 'zstd';

export class UnpackSink implements Sink {
  readonly #stream: Unpacker;
  readonly #finished: Promise<void>;
  #given = 0;
  #over = false;
  /** An error of the inner sink: not of what is searched. */
  #failure: { readonly error: unknown } | undefined;

  constructor(stream: Unpacker, inner: Sink, place: Place, context: SearchContext) {
    this.#stream = stream;
    this.#finished = this.#run(inner, place, context);
  }

  /** Bytes of what was written that belong to the compressed stream. */
  get used(): number {
    return this.#stream.bytesWritten;
  }

  /** Whether the compressed stream has come to its end, or cannot be unpacked any further. */
  get over(): boolean {
    return this.#over;
  }

  /** What comes after the end of the compressed stream is not looked at. Settles when `bytes` are not needed any more. */
  async write(bytes: Buffer): Promise<void> {
    if (!this.#over) {
      this.#given += bytes.length;
      await Promise.race([this.#taken(bytes), this.#finished]);
      // The stream tells its end only later.
      if (this.used < this.#given) await this.#finished;
    }
    if (this.#failure) throw this.#failure.error;
  }

  async end(): Promise<void> {
    if (!this.#over) this.#stream.end();
    await this.#finished;
    if (this.#failure) throw this.#failure.error;
  }

  #taken(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.write(bytes, () => {
        resolve();
      });
    });
  }

  async #run(inner: Sink, place: Place, context: SearchContext): Promise<void> {
    const { report } = context;
    const abandon = context.onAbandon(() => this.#stream.destroy());
    const problem = await this.#pass(inner, place, context);
    if (problem) report.unsearched(place.within, 'damaged', `it cannot be unpacked: ${problem.message}`);
    try {
      await inner.end();
    } catch (error) {
      this.#failure ??= { error };
    }
    abandon();
    this.#over = true;
  }

  /** @returns what is wrong with the compressed bytes */
  async #pass(inner: Sink, { within }: Place, { report, signal }: SearchContext): Promise<Error | undefined> {
    try {
      for await (const piece of this.#stream) {
        const bytes = piece as Buffer;
        signal.throwIfAborted();
        if (!report.unpack(bytes.length)) {
          report.unsearched(within, 'size', 'it unpacks to too much');
          return undefined;
        }
        await inner.write(bytes);
      }
    } catch (error) {
      if (isZlibError(error)) return error;
      this.#failure = { error };
    }
    return undefined;
  }
}

function isZlibError(error: unknown): error is Error {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  return error instanceof Error && /^(Z_|ZSTD_)/.test(code);
}

/** `undefined` where this version of Node does not have it: zstd came with 22.15. */
export function unpackerFor(compression: Compression): Unpacker | undefined {
  switch (compression) {
    case 'gzip':
      return zlib.createGunzip({ chunkSize: CHUNK });
    case 'deflate':
      return zlib.createInflateRaw({ chunkSize: CHUNK });
    case 'zstd':
      return createZstdDecompress()?.({ chunkSize: CHUNK });
  }
}

type Create = (options: { readonly chunkSize: number }) => Unpacker;

function createZstdDecompress(): Create | undefined {
  return 'createZstdDecompress' in zlib ? (zlib.createZstdDecompress as Create) : undefined;
}

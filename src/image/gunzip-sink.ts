/** Unpacks gzip'd bytes that are written to it, with backpressure, into a consumer. */
import { createGunzip, type Gunzip } from 'node:zlib';

const CHUNK = 1 << 17;

export class GunzipSink {
  readonly #gunzip: Gunzip = createGunzip({ chunkSize: CHUNK });
  readonly #finished: Promise<void>;
  /** What stopped it: bad input, or an error of the consumer. */
  #failure: { readonly error: unknown } | undefined;
  #over = false;

  /** @param consume each call is awaited before the next */
  constructor(consume: (bytes: Buffer) => Promise<void>) {
    this.#finished = this.#run(consume);
  }

  /** The bytes are unpacked when it settles. Rejects with what stopped it. */
  async write(bytes: Buffer): Promise<void> {
    // Bytes after the end of the stream are nobody's: the consumer's digests tell whether anything is missing.
    if (!this.#over) await Promise.race([this.#unpacked(bytes), this.#finished]);
    if (this.#failure) throw this.#failure.error;
  }

  async end(): Promise<void> {
    if (!this.#over) this.#gunzip.end();
    await this.#finished;
    if (this.#failure) throw this.#failure.error;
  }

  destroy(): void {
    this.#gunzip.destroy();
  }

  async #run(consume: (bytes: Buffer) => Promise<void>): Promise<void> {
    try {
      for await (const bytes of this.#gunzip) await consume(bytes as Buffer);
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#over = true;
    }
  }

  #unpacked(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#gunzip.write(bytes, () => {
        resolve();
      });
    });
  }
}

/** Whether it is zlib that found its input bad. */
export function isGzipError(error: unknown): error is Error {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return error instanceof Error && typeof code === 'string' && code.startsWith('Z_');
}

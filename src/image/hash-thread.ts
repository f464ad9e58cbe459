/** SHA-256 of large files on a thread of its own: an engine that sends an image need not wait until its bytes are hashed. */
import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';

/** Bytes of a file from which on the thread is worth its start and its memory. */
const LARGE = 1 << 24;

const PIECE = 1 << 19;
/** One is filled while another is hashed, and one may wait. */
const PIECES = 3;

/** It makes little garbage, which need not be kept for long. */
const SMALL = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 };

/** Plain JavaScript: it runs wherever this file was bundled to. */
const THREAD = `
const { createHash } = require('node:crypto');
const { parentPort, workerData } = require('node:worker_threads');
let hash = createHash('sha256');
parentPort.on('message', ({ start, length }) => {
  if (length > 0) hash.update(new Uint8Array(workerData, start, length));
  if (length === ${PIECE}) return parentPort.postMessage('');
  parentPort.postMessage(hash.digest('hex'));
  hash = createHash('sha256');
});
`;

interface Answer {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
}

/** As those of `node:crypto`, on this thread or another. */
export interface Hasher {
  /** Settles, if it does not return at once, when the bytes are not needed any more. */
  update(bytes: Buffer): unknown;
  digest(encoding: 'hex'): string | Promise<string>;
}

/** One file after the other. Dispose it: that ends the thread, which is started by the first file. */
export class HashThread implements Hasher, Disposable {
  readonly #memory = new SharedArrayBuffer(PIECE * PIECES);
  readonly #bytes = new Uint8Array(this.#memory);
  #worker: Worker | undefined;
  /** Pieces that were sent and not hashed yet, oldest first: what it answers to each, the digest after the last one of a file. */
  readonly #sent: Promise<string>[] = [];
  readonly #answers: Answer[] = [];
  #failure: Error | undefined;
  #piece = 0;
  #used = 0;

  /** For a file of so many bytes. */
  hasherFor(size: number): Hasher {
    return size < LARGE ? createHash('sha256') : this;
  }

  /** The bytes are copied before it settles. */
  async update(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      if (this.#used === PIECE) await this.#next();
      const part = bytes.subarray(done, done + PIECE - this.#used);
      this.#bytes.set(part, this.#piece * PIECE + this.#used);
      this.#used += part.length;
      done += part.length;
    }
  }

  /** Of what came since the last one. */
  async digest(): Promise<string> {
    // A piece that is not full is the last.
    if (this.#used === PIECE) await this.#next();
    this.#send();
    return (await Promise.all(this.#sent.splice(0))).at(-1) ?? '';
  }

  [Symbol.dispose](): void {
    this.#fail(new Error('The thread has ended'));
    void this.#worker?.terminate();
  }

  async #next(): Promise<void> {
    this.#send();
    if (this.#sent.length === PIECES) await this.#sent.shift();
  }

  #send(): void {
    this.#worker ??= this.#start();
    const answer = new Promise<string>((resolve, reject) => {
      if (this.#failure === undefined) this.#answers.push({ resolve, reject });
      else reject(this.#failure);
    });
    // Told to who waits for it.
    answer.catch(() => undefined);
    this.#sent.push(answer);
    this.#worker.postMessage({ start: this.#piece * PIECE, length: this.#used });
    this.#piece = (this.#piece + 1) % PIECES;
    this.#used = 0;
  }

  #start(): Worker {
    const worker = new Worker(THREAD, { eval: true, workerData: this.#memory, resourceLimits: SMALL });
    worker.on('message', (answer: string) => {
      this.#answers.shift()?.resolve(answer);
    });
    worker.on('error', (error) => {
      this.#fail(error);
    });
    return worker;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const answer of this.#answers.splice(0)) answer.reject(this.#failure);
  }
}

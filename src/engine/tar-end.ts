/** Tells a whole tar from one that was cut: engines end the HTTP answer normally even when packing failed midway. */
import { Transform, type TransformCallback } from 'node:stream';
import { EngineError } from '../core/errors.js';

const BLOCK = 512;
const END = 2 * BLOCK;

/** Passes bytes through; fails at the end unless they are whole blocks that finish with the end-of-archive mark. */
export class TarEndCheck extends Transform {
  readonly #what: string;
  #total = 0;
  #tail: Buffer = Buffer.alloc(0);

  constructor(what: string) {
    super();
    this.#what = what;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#total += chunk.length;
    this.#tail =
      chunk.length >= END ? chunk.subarray(-END) : Buffer.concat([this.#tail, chunk]).subarray(-END);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    const whole = this.#total >= END && this.#total % BLOCK === 0 && this.#tail.every((byte) => byte === 0);
    if (whole) done();
    else
      done(new EngineError(`The engine broke off while sending ${this.#what}, after ${this.#total} bytes`));
  }
}

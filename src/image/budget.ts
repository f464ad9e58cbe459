/** How much an archive may unpack to: a bound on what a few bytes can cost in disk and time. */
import { ImageError } from './errors.js';

/** The default lets a layer of zeros pass, which deflate shrinks a thousandfold, up to 1 GiB of them. */
export interface ExpansionLimit {
  /** Bytes that any archive may unpack to. */
  readonly floor: number;
  /** Bytes that it may unpack to in addition, for each byte of its own. */
  readonly ratio: number;
}

export const EXPANSION_LIMIT: ExpansionLimit = { floor: 2 ** 30, ratio: 100 };

/** Counts what goes in and what comes out of gunzip, over a whole archive. */
export class ExpansionBudget {
  readonly #limit: ExpansionLimit;
  #read = 0;
  #unpacked = 0;

  constructor(limit: ExpansionLimit = EXPANSION_LIMIT) {
    this.#limit = limit;
  }

  read(bytes: number): void {
    this.#read += bytes;
  }

  /** @param what for the message, e.g. `layer.tar` @throws ImageError */
  unpack(bytes: number, what: string): void {
    this.#unpacked += bytes;
    const { floor, ratio } = this.#limit;
    if (this.#unpacked <= floor + ratio * this.#read) return;
    throw new ImageError(
      'too-large',
      `The image archive unpacks to more than ${floor} bytes and ${ratio} times its size: stopped at ${what}`,
      { hint: 'It looks like a decompression bomb. If it is not, pass it uncompressed.' },
    );
  }
}

/** A column of SHA-256 digests, some of them absent: as many strings would be an object for each. */
export const DIGEST_BYTES = 32;

export class Digests {
  #bytes: Buffer;
  #present: Uint8Array;

  private constructor(bytes: Buffer, present: Uint8Array) {
    this.#bytes = bytes;
    this.#present = present;
  }

  static empty(): Digests {
    return new Digests(Buffer.alloc(0), new Uint8Array());
  }

  /** @param encoded what `encode` gave; becomes its memory */
  static decode(encoded: Buffer): Digests {
    const length = encoded.length / (DIGEST_BYTES + 1);
    return new Digests(encoded.subarray(length), encoded.subarray(0, length));
  }

  /** @param digest latin1, all DIGEST_BYTES of it */
  set(index: number, digest: string): void {
    this.#makeRoom(index + 1);
    this.#bytes.write(digest, index * DIGEST_BYTES, DIGEST_BYTES, 'latin1');
    this.#present[index] = 1;
  }

  /**
   * Put a part of another column, present or absent as it is there, in its place here.
   * @param to before which it ends
   */
  copy(index: number, source: Digests, from: number, to: number): void {
    this.#makeRoom(index + to - from);
    source.#bytes.copy(this.#bytes, index * DIGEST_BYTES, from * DIGEST_BYTES, to * DIGEST_BYTES);
    this.#present.set(source.#present.subarray(from, to), index);
  }

  has(index: number): boolean {
    return this.#present[index] === 1;
  }

  /** @returns latin1 */
  at(index: number): string | undefined {
    if (!this.has(index)) return undefined;
    return this.#bytes.toString('latin1', index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
  }

  /** All that are present, in the order of their places: views, each of as many as lie side by side. */
  present(): readonly Buffer[] {
    const present = this.#present;
    const pieces: Buffer[] = [];
    for (let end = 0; end < present.length;) {
      const start = present.indexOf(1, end);
      if (start === -1) break;
      const gap = present.indexOf(0, start);
      end = gap === -1 ? present.length : gap;
      pieces.push(this.#bytes.subarray(start * DIGEST_BYTES, end * DIGEST_BYTES));
    }
    return pieces;
  }

  /** @param length how many, absent ones included */
  encode(length: number): Buffer {
    this.#makeRoom(length);
    return Buffer.concat([this.#present.subarray(0, length), this.#bytes.subarray(0, length * DIGEST_BYTES)]);
  }

  #makeRoom(length: number): void {
    if (length <= this.#present.length) return;
    const present = new Uint8Array(Math.max(1024, length, 2 * this.#present.length));
    present.set(this.#present);
    // What is absent is written to disks, too.
    const bytes = Buffer.alloc(present.length * DIGEST_BYTES);
    this.#bytes.copy(bytes);
    [this.#present, this.#bytes] = [present, bytes];
  }
}

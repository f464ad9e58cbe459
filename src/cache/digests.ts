/** A column of SHA-256 digests, some of them absent: as many strings would be an object for each. */
export const DIGEST_BYTES = 32;

export class Digests {
  #bytes = Buffer.allocUnsafeSlow(1024 * DIGEST_BYTES);
  #present = new Uint8Array(1024);

  /** @param digest latin1, all DIGEST_BYTES of it */
  set(index: number, digest: string): void {
    this.#makeRoom(index);
    this.#bytes.write(digest, index * DIGEST_BYTES, DIGEST_BYTES, 'latin1');
    this.#present[index] = 1;
  }

  /** @param row of the digest in `source` */
  copy(index: number, source: Buffer, row: number): void {
    this.#makeRoom(index);
    const bytes = this.#bytes;
    let to = index * DIGEST_BYTES;
    let from = row * DIGEST_BYTES;
    // Calls for so few bytes cost more than they do.
    for (const end = to + DIGEST_BYTES; to < end; to++, from++) bytes[to] = source[from] ?? 0;
    this.#present[index] = 1;
  }

  /** @returns latin1 */
  at(index: number): string | undefined {
    if (this.#present[index] !== 1) return undefined;
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

  #makeRoom(index: number): void {
    if (index < this.#present.length) return;
    const present = new Uint8Array(2 * index);
    present.set(this.#present);
    const bytes = Buffer.allocUnsafeSlow(present.length * DIGEST_BYTES);
    this.#bytes.copy(bytes);
    [this.#present, this.#bytes] = [present, bytes];
  }
}

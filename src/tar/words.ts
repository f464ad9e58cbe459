/** A column of 64-bit words that grows: an array of as many bigints would be an object for each. */
export class Words {
  #words = new BigInt64Array(1024);
  #length = 0;

  /** @param word an unsigned one comes back as a signed one */
  set(index: number, word: bigint): void {
    if (index >= this.#words.length) {
      const larger = new BigInt64Array(2 * index);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[index] = word;
    this.#length = Math.max(this.#length, index + 1);
  }

  at(index: number): bigint {
    return this.#words[index] ?? 0n;
  }

  /** All up to the last that was set. */
  view(): BigInt64Array {
    return this.#words.subarray(0, this.#length);
  }
}

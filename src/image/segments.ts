/** What a merged layer consists of: ranges of the spool in order, 8 bytes each; neighbouring ranges become one. */
import { extended, grown } from './memory.js';

/** A range of the spool, in blocks. */
export interface Segment {
  readonly start: number;
  readonly blocks: number;
}

export class Segments implements Iterable<Segment> {
  #starts = new Uint32Array(64);
  #blocks = new Uint32Array(64);
  #size = 0;
  #totalBlocks = 0;

  /** Blocks of all segments together. */
  get totalBlocks(): number {
    return this.#totalBlocks;
  }

  add(start: number, blocks: number): void {
    if (blocks === 0) return;
    this.#totalBlocks += blocks;
    const last = this.#size - 1;
    const lastBlocks = this.#blocks[last] ?? 0;
    if (last >= 0 && (this.#starts[last] ?? 0) + lastBlocks === start) {
      this.#blocks[last] = lastBlocks + blocks;
      return;
    }
    const at = this.#size;
    if (at === this.#starts.length) {
      this.#starts = extended(this.#starts, new Uint32Array(grown(at)));
      this.#blocks = extended(this.#blocks, new Uint32Array(grown(at)));
    }
    this.#starts[at] = start;
    this.#blocks[at] = blocks;
    this.#size += 1;
  }

  *[Symbol.iterator](): Generator<Segment, void, undefined> {
    for (let i = 0; i < this.#size; i++) {
      yield { start: this.#starts[i] ?? 0, blocks: this.#blocks[i] ?? 0 };
    }
  }
}

/** What a merged layer consists of, in order, in 9 bytes a piece: neighbouring ranges of the spool become one. */
import type { MadeKind } from './merge-plan.js';
import { extended, grown } from './path-tree.js';

const KINDS: readonly ('copy' | MadeKind)[] = ['copy', 'whiteout', 'opaque', 'folder', 'first', 'link'];

export type Segment =
  /** Blocks of the spool. */
  | { readonly kind: 'copy'; readonly start: number; readonly blocks: number }
  | { readonly kind: MadeKind; readonly node: number; readonly blocks: number };

export class Segments implements Iterable<Segment> {
  #kinds = new Uint8Array(64);
  /** First block in the spool, or the node. */
  #subjects = new Uint32Array(64);
  #blocks = new Uint32Array(64);
  #size = 0;
  #totalBlocks = 0;

  /** Blocks of all segments together. */
  get totalBlocks(): number {
    return this.#totalBlocks;
  }

  copy(start: number, blocks: number): void {
    if (blocks === 0) return;
    const last = this.#size - 1;
    const end = (this.#subjects[last] ?? 0) + (this.#blocks[last] ?? 0);
    if (last >= 0 && this.#kinds[last] === 0 && end === start) {
      this.#blocks[last] = (this.#blocks[last] ?? 0) + blocks;
      this.#totalBlocks += blocks;
    } else this.#add(0, start, blocks);
  }

  make(kind: MadeKind, node: number, blocks: number): void {
    this.#add(KINDS.indexOf(kind), node, blocks);
  }

  *[Symbol.iterator](): Generator<Segment, void, undefined> {
    for (let i = 0; i < this.#size; i++) {
      const kind = KINDS[this.#kinds[i] ?? 0] ?? 'copy';
      const subject = this.#subjects[i] ?? 0;
      const blocks = this.#blocks[i] ?? 0;
      yield kind === 'copy' ? { kind, start: subject, blocks } : { kind, node: subject, blocks };
    }
  }

  #add(kind: number, subject: number, blocks: number): void {
    const at = this.#size;
    if (at === this.#kinds.length) {
      const capacity = grown(at);
      this.#kinds = extended(this.#kinds, new Uint8Array(capacity));
      this.#subjects = extended(this.#subjects, new Uint32Array(capacity));
      this.#blocks = extended(this.#blocks, new Uint32Array(capacity));
    }
    this.#kinds[at] = kind;
    this.#subjects[at] = subject;
    this.#blocks[at] = blocks;
    this.#size += 1;
    this.#totalBlocks += blocks;
  }
}

/** Where each entry of the merged layers lies in the spool, in flat arrays: 17 bytes an entry. */
import { BLOCK } from '../tar/raw-header.js';
import { extended, grown, release } from './memory.js';

const HARD_LINK = 0x31;
const NONE = -1;

/** A range of the spool, in bytes. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

export interface NewEntry {
  /** Type flag as a character code. */
  readonly type: number;
  /** First block in the spool. */
  readonly start: number;
  /** Blocks up to and with the header. */
  readonly head: number;
  readonly body: number;
}

/** Entries are numbers, in the order in which they came. */
export class EntryTable {
  #types: Uint8Array;
  #starts: Uint32Array;
  #heads: Uint32Array;
  #bodies: Uint32Array;
  /** Of a hard link: the entry with its content. Of others: the last hard link to them, if any. */
  #links: Int32Array;
  #size = 0;

  constructor(capacity: number) {
    const room = Math.max(16, capacity);
    this.#types = new Uint8Array(room);
    this.#starts = new Uint32Array(room);
    this.#heads = new Uint32Array(room);
    this.#bodies = new Uint32Array(room);
    this.#links = new Int32Array(room);
  }

  get size(): number {
    return this.#size;
  }

  add({ type, start, head, body }: NewEntry): number {
    const entry = this.#size;
    if (entry === this.#types.length) this.#grow();
    this.#types[entry] = type;
    this.#starts[entry] = start;
    this.#heads[entry] = head;
    this.#bodies[entry] = body;
    this.#links[entry] = NONE;
    this.#size += 1;
    return entry;
  }

  /** `target` may itself be a link. */
  link(entry: number, target: number): void {
    const inode = this.inode(target);
    this.#links[entry] = inode;
    this.#links[inode] = entry;
  }

  /** The entry that has the content: itself, unless it is a hard link. */
  inode(entry: number): number {
    return this.#types[entry] === HARD_LINK ? (this.#links[entry] ?? entry) : entry;
  }

  /**
   * The entry whose metadata the inode has: on extraction each link's own owner, mode, time and attributes are applied
   * to the inode, so the last one's stay.
   */
  metadata(inode: number): number {
    const last = this.#links[inode] ?? NONE;
    return last === NONE ? inode : last;
  }

  /** Whether there are, or were, hard links to it. */
  isLinked(inode: number): boolean {
    return this.#links[inode] !== NONE;
  }

  /** The blocks up to and with the header. */
  head(entry: number): Range {
    return { start: this.#start(entry), length: (this.#heads[entry] ?? 0) * BLOCK };
  }

  body(entry: number): Range {
    const { start, length } = this.head(entry);
    return { start: start + length, length: (this.#bodies[entry] ?? 0) * BLOCK };
  }

  /** First block in the spool, and the number of blocks. */
  blocks(entry: number): { readonly start: number; readonly count: number } {
    const count = (this.#heads[entry] ?? 0) + (this.#bodies[entry] ?? 0);
    return { start: this.#starts[entry] ?? 0, count };
  }

  /** The table is of no use afterwards. */
  release(): void {
    for (const array of [this.#types, this.#starts, this.#heads, this.#bodies, this.#links]) release(array);
  }

  #start(entry: number): number {
    return (this.#starts[entry] ?? 0) * BLOCK;
  }

  #grow(): void {
    const capacity = grown(this.#types.length);
    this.#types = extended(this.#types, new Uint8Array(capacity));
    this.#starts = extended(this.#starts, new Uint32Array(capacity));
    this.#heads = extended(this.#heads, new Uint32Array(capacity));
    this.#bodies = extended(this.#bodies, new Uint32Array(capacity));
    this.#links = extended(this.#links, new Int32Array(capacity));
  }
}

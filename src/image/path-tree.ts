/** A tree of paths in flat arrays: about 40 bytes a path, where objects would take some hundred. */
import { randomInt } from 'node:crypto';
import { extended, grown, release } from './memory.js';

const NONE = -1;
const FIRST_CAPACITY = 1 << 10;

/**
 * Nodes are numbers, the root is 0; none is ever removed. Names are bytes, given as latin1 strings.
 */
export class PathTree {
  #parents = new Int32Array(FIRST_CAPACITY);
  #firstChildren = new Int32Array(FIRST_CAPACITY);
  #nextSiblings = new Int32Array(FIRST_CAPACITY);
  #nameStarts = new Uint32Array(FIRST_CAPACITY);
  #nameLengths = new Uint16Array(FIRST_CAPACITY);
  #names = Buffer.allocUnsafeSlow(FIRST_CAPACITY * 16);
  #namesUsed = 0;
  /** Open addressing; holds node + 1, 0 is free. */
  #slots = new Int32Array(FIRST_CAPACITY * 2);
  #size = 0;
  /** Names come from strangers: it keeps them from choosing names that all fall into one slot. */
  readonly #seed = randomInt(2 ** 31);

  constructor() {
    this.#add(NONE, '', 0, 0);
  }

  /** Nodes. */
  get size(): number {
    return this.#size;
  }

  /** Nodes that fit without growing. */
  get capacity(): number {
    return this.#parents.length;
  }

  /** Make room at once for what is about to come. */
  reserve(nodes: number, nameBytes: number): void {
    this.#growNodes(this.#size + nodes);
    this.#growNames(this.#namesUsed + nameBytes);
  }

  /** The child whose name is `path` from `from` to `to`; made where there is none. */
  child(parent: number, path: string, from: number, to: number): number {
    const slot = this.#slot(parent, path, from, to);
    const found = this.#slots[slot] ?? 0;
    if (found !== 0) return found - 1;
    const node = this.#add(parent, path, from, to);
    // Adding may have moved all slots.
    this.#slots[this.#slot(parent, path, from, to)] = node + 1;
    return node;
  }

  /** The node of a path; `undefined` where there is none. */
  find(path: string): number | undefined {
    let node = 0;
    for (let from = 0; from < path.length;) {
      const slash = path.indexOf('/', from);
      const to = slash === -1 ? path.length : slash;
      const found = this.#slots[this.#slot(node, path, from, to)] ?? 0;
      if (found === 0) return undefined;
      node = found - 1;
      from = to + 1;
    }
    return node;
  }

  /** -1 at the root. */
  parent(node: number): number {
    return this.#parents[node] ?? NONE;
  }

  /** -1 where there is none; children come in no particular order. */
  firstChild(node: number): number {
    return this.#firstChildren[node] ?? NONE;
  }

  nextSibling(node: number): number {
    return this.#nextSiblings[node] ?? NONE;
  }

  name(node: number): string {
    const start = this.#nameStarts[node] ?? 0;
    return this.#names.toString('latin1', start, start + (this.#nameLengths[node] ?? 0));
  }

  path(node: number): string {
    const names: string[] = [];
    for (let at = node; at > 0; at = this.parent(at)) names.push(this.name(at));
    return names.reverse().join('/');
  }

  /** Order of the names, byte by byte. */
  compareNames(a: number, b: number): number {
    const aStart = this.#nameStarts[a] ?? 0;
    const bStart = this.#nameStarts[b] ?? 0;
    const aLength = this.#nameLengths[a] ?? 0;
    const bLength = this.#nameLengths[b] ?? 0;
    const length = Math.min(aLength, bLength);
    for (let i = 0; i < length; i++) {
      const difference = (this.#names[aStart + i] ?? 0) - (this.#names[bStart + i] ?? 0);
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }

  /** The tree is of no use afterwards. */
  release(): void {
    for (const array of [this.#parents, this.#firstChildren, this.#nextSiblings, this.#slots]) release(array);
    for (const array of [this.#nameStarts, this.#nameLengths, this.#names]) release(array);
  }

  /** Where the child is, or the free slot where it goes. */
  #slot(parent: number, path: string, from: number, to: number): number {
    const mask = this.#slots.length - 1;
    let hash = Math.imul(parent + 1, 0x9e3779b1) ^ this.#seed;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
    let slot = mix(hash) & mask;
    for (;;) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0 || this.#is(found - 1, parent, path, from, to)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #is(node: number, parent: number, path: string, from: number, to: number): boolean {
    const length = to - from;
    if (this.#parents[node] !== parent || this.#nameLengths[node] !== length) return false;
    const start = this.#nameStarts[node] ?? 0;
    for (let i = 0; i < length; i++) if (this.#names[start + i] !== path.charCodeAt(from + i)) return false;
    return true;
  }

  #add(parent: number, path: string, from: number, to: number): number {
    const node = this.#size;
    const length = to - from;
    if (node === this.#parents.length) this.#growNodes(grown(node));
    if (this.#namesUsed + length > this.#names.length)
      this.#growNames(Math.max(grown(this.#names.length), this.#namesUsed + length));
    for (let i = 0; i < length; i++) this.#names[this.#namesUsed + i] = path.charCodeAt(from + i);
    this.#parents[node] = parent;
    this.#nameStarts[node] = this.#namesUsed;
    this.#nameLengths[node] = length;
    this.#firstChildren[node] = NONE;
    this.#nextSiblings[node] = parent === NONE ? NONE : this.firstChild(parent);
    if (parent !== NONE) this.#firstChildren[parent] = node;
    this.#namesUsed += length;
    this.#size += 1;
    return node;
  }

  #growNodes(capacity: number): void {
    if (capacity <= this.#parents.length) return;
    this.#parents = extended(this.#parents, new Int32Array(capacity));
    this.#firstChildren = extended(this.#firstChildren, new Int32Array(capacity));
    this.#nextSiblings = extended(this.#nextSiblings, new Int32Array(capacity));
    this.#nameStarts = extended(this.#nameStarts, new Uint32Array(capacity));
    this.#nameLengths = extended(this.#nameLengths, new Uint16Array(capacity));
    let slots = this.#slots.length;
    while (slots < 1.5 * capacity) slots *= 2;
    if (slots !== this.#slots.length) this.#rehash(slots);
  }

  #rehash(slots: number): void {
    release(this.#slots);
    this.#slots = new Int32Array(slots);
    for (let node = 1; node < this.#size; node++) {
      const name = this.name(node);
      this.#slots[this.#slot(this.parent(node), name, 0, name.length)] = node + 1;
    }
  }

  #growNames(capacity: number): void {
    if (capacity <= this.#names.length) return;
    this.#names = extended(this.#names, Buffer.allocUnsafeSlow(capacity));
  }
}

/** Spreads the hash over its low bits, which choose the slot (finalizer of MurmurHash3, public domain). */
function mix(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  return h >>> 0;
}

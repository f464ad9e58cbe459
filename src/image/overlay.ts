/** What layers laid over each other make of each path: the rules of whiteouts, opaque folders and type changes. */
import { extended, grown, release } from './memory.js';
import type { PathTree } from './path-tree.js';

const ABSENT = 0;
/** A folder without an entry of its own: some layer has only something inside it. */
const IMPLICIT = 1;
const FOLDER = 2;
/** Anything but a folder. */
const LEAF = 3;
const WHITEOUT = 4;
/** A folder without an entry of its own in the place of something else: no layer below says anything of it. */
const MADE = 5;
const STATE = 7;
/** Of a folder: nothing of the layers below is seen in it. */
const OPAQUE = 8;

const NONE = -1;

/** What a path has come to. */
export type PathState = 'absent' | 'implicit' | 'folder' | 'leaf' | 'whiteout' | 'made';
const STATES: readonly PathState[] = ['absent', 'implicit', 'folder', 'leaf', 'whiteout', 'made'];

/**
 * Two overlays (of the base's layers, and of those above) may share one tree. Within one layer, apply all whiteouts and
 * opaque marks before its entries: they mean the layers below only.
 */
export class Overlay {
  readonly #tree: PathTree;
  #states: Uint8Array;
  /** The winning entry of each path. */
  #entries: Int32Array;
  /** The lowest layer that had an entry here, counted from 1; 0: none had. */
  #firsts: Uint16Array;
  #layer = 1;

  constructor(tree: PathTree) {
    this.#tree = tree;
    this.#states = new Uint8Array(tree.size);
    this.#entries = new Int32Array(tree.size);
    this.#firsts = new Uint16Array(tree.size);
    this.#fit();
    this.#set(0, IMPLICIT);
  }

  /** What is put from now on is of this layer, counted from 0; layers come in their order. */
  beginLayer(index: number): void {
    this.#layer = index + 1;
  }

  state(node: number): PathState {
    return STATES[this.#state(node)] ?? 'absent';
  }

  isOpaque(node: number): boolean {
    return ((this.#states[node] ?? 0) & OPAQUE) !== 0;
  }

  /** Whether there is a file or folder. */
  exists(node: number): boolean {
    const state = this.#state(node);
    return state !== ABSENT && state !== WHITEOUT;
  }

  hasChildren(node: number): boolean {
    for (let at = this.#tree.firstChild(node); at !== NONE; at = this.#tree.nextSibling(at)) {
      if (this.exists(at)) return true;
    }
    return false;
  }

  /** Whether a layer had an entry here and none is left. */
  isRemoved(node: number): boolean {
    return (this.#firsts[node] ?? 0) > 0 && !this.exists(node);
  }

  /** The lowest layer that had an entry here; -1 where none had. */
  firstLayer(node: number): number {
    return (this.#firsts[node] ?? 0) - 1;
  }

  isFolder(node: number): boolean {
    return this.exists(node) && this.#state(node) !== LEAF;
  }

  /** The winning entry; -1 where there is none. */
  entry(node: number): number {
    return this.#state(node) === FOLDER || this.#state(node) === LEAF ? (this.#entries[node] ?? NONE) : NONE;
  }

  /** A folder over a folder keeps its children; over anything else it hides what the layers below have in its place. */
  putFolder(path: string, entry: number): void {
    const node = this.#reach(path);
    const state = this.#state(node);
    const opaque = state === WHITEOUT || state === LEAF ? OPAQUE : (this.#states[node] ?? 0) & OPAQUE;
    this.#set(node, FOLDER | opaque);
    this.#see(node);
    this.#entries[node] = entry;
  }

  putLeaf(path: string, entry: number): void {
    const node = this.#reach(path);
    this.#dropChildren(node);
    this.#set(node, LEAF);
    this.#see(node);
    this.#entries[node] = entry;
  }

  remove(path: string): void {
    const node = this.#reach(path);
    this.#dropChildren(node);
    this.#set(node, WHITEOUT);
  }

  hideBelow(path: string): void {
    const node = this.#reach(path);
    this.#enter(node);
    this.#dropChildren(node);
    this.#set(node, this.#state(node) | OPAQUE);
  }

  /** The overlay is of no use afterwards. */
  release(): void {
    release(this.#states);
    release(this.#entries);
    release(this.#firsts);
  }

  /** The node of a path, all its parents being folders; engines, too, make the parents that an archive lacks. */
  #reach(path: string): number {
    let node = 0;
    for (let from = 0; from < path.length;) {
      this.#enter(node);
      const slash = path.indexOf('/', from);
      const to = slash === -1 ? path.length : slash;
      node = this.#tree.child(node, path, from, to);
      from = to + 1;
    }
    this.#fit();
    return node;
  }

  /** Make it a folder, if it is none. */
  #enter(node: number): void {
    this.#fit();
    const state = this.#state(node);
    if (state === ABSENT) this.#set(node, IMPLICIT);
    else if (state === LEAF || state === WHITEOUT) this.#set(node, MADE | OPAQUE);
  }

  #dropChildren(top: number): void {
    if (this.#tree.firstChild(top) === NONE) return;
    const pending = [top];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      for (let at = this.#tree.firstChild(node); at !== NONE; at = this.#tree.nextSibling(at)) {
        // Below an absent path all is absent.
        if (at >= this.#states.length || this.#state(at) === ABSENT) continue;
        this.#set(at, ABSENT);
        pending.push(at);
      }
    }
  }

  #state(node: number): number {
    return (this.#states[node] ?? 0) & STATE;
  }

  #set(node: number, state: number): void {
    this.#states[node] = state;
  }

  #see(node: number): void {
    this.#firsts[node] ||= this.#layer;
  }

  /** The tree grows by itself, the overlays after it. */
  #fit(): void {
    if (this.#tree.size <= this.#states.length) return;
    const capacity = Math.max(this.#tree.capacity, grown(this.#states.length));
    this.#states = extended(this.#states, new Uint8Array(capacity));
    this.#entries = extended(this.#entries, new Int32Array(capacity));
    this.#firsts = extended(this.#firsts, new Uint16Array(capacity));
  }
}

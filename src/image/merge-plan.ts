/** Decides, path by path, what goes into the merged layer: ranges of the spool, or blocks made anew. */
import { encodeHeader } from '../tar/header.js';
import { BLOCK } from '../tar/raw-header.js';
import { release } from './memory.js';
import type { LayeredTree } from './merge.js';
import { OPAQUE, WHITEOUT } from './names.js';
import { rehead } from './rehead.js';
import { Segments } from './segments.js';
import type { SpoolFile } from './spool-file.js';

const NONE = -1;
/** Pieces, each of a few blocks. */
const FLUSH_AT = 128;

/** The merged layer, planned. */
export interface MergePlan {
  readonly segments: Segments;
  /** Entries of the merged layer, whiteouts and opaque marks included. */
  readonly entries: number;
  /** Whiteouts and opaque marks. */
  readonly marks: number;
  /** Paths that some layer above the base had, and the merged one has not. */
  readonly removed: number;
  /** The layers above the base that have such a path first, counted from 0, ascending. */
  readonly removedFrom: readonly number[];
}

/** Blocks that are in no layer. */
type MadeKind =
  | 'whiteout'
  | 'opaque'
  /** A folder without an entry of its own that the base has not: engines make it, owned by root, mode 0755. */
  | 'folder'
  /** Header of the member of a hard-link group that has the content. */
  | 'first'
  /** Header of any other member. */
  | 'link';

/**
 * Names of deleted files are secrets like their contents: nothing is said of a path that the base has not. Blocks made anew are
 * appended to the spool, so that the plan is all that is left to remember.
 */
export async function planMerge(layered: LayeredTree, spool: SpoolFile): Promise<MergePlan> {
  return new Planner(layered, spool, await spool.align()).plan();
}

class Planner {
  readonly #layered: LayeredTree;
  readonly #spool: SpoolFile;
  readonly #segments = new Segments();
  /** Of each entry that hard links lead to: the node that has the content in the merged layer. */
  readonly #firsts: Int32Array;
  readonly #made: MadeBlocks;
  #entries = 0;
  #marks = 0;

  /** @param firstMade where in the spool the blocks made anew go */
  constructor(layered: LayeredTree, spool: SpoolFile, firstMade: number) {
    this.#layered = layered;
    this.#spool = spool;
    this.#made = new MadeBlocks(spool, firstMade);
    this.#firsts = new Int32Array(layered.entries.size).fill(NONE);
  }

  async plan(): Promise<MergePlan> {
    const { tree, upper } = this.#layered;
    // Nodes to visit; ~node where an opaque folder above hides the base.
    const pending: number[] = [0];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const seesBase = next >= 0;
      const node = seesBase ? next : ~next;
      const inside = this.#visit(node, seesBase);
      if (this.#made.isFull) await this.#made.flush();
      if (!inside) continue;
      const below = seesBase && !upper.isOpaque(node);
      // The last is visited first.
      const children = this.#children(node);
      for (let i = children.length - 1; i >= 0; i--) {
        const child = children[i] ?? 0;
        pending.push(below ? child : ~child);
      }
    }
    await this.#made.flush();
    await this.#spool.flush();
    release(this.#firsts);
    let removed = 0;
    const removedFrom = new Set<number>();
    for (let node = 0; node < tree.size; node++) {
      if (!upper.isRemoved(node)) continue;
      removed += 1;
      removedFrom.add(upper.firstLayer(node));
    }
    return {
      segments: this.#segments,
      entries: this.#entries,
      marks: this.#marks,
      removed,
      removedFrom: [...removedFrom].sort((a, b) => a - b),
    };
  }

  /** Returns whether to go on with what is in it. */
  #visit(node: number, seesBase: boolean): boolean {
    const { base, upper } = this.#layered;
    const state = upper.state(node);
    switch (state) {
      case 'absent':
        return false;
      case 'whiteout':
        if (seesBase && base.exists(node)) this.#mark('whiteout', node);
        return false;
      case 'leaf':
        this.#leaf(node);
        return false;
      case 'folder':
      case 'implicit':
      case 'made':
        if (state === 'folder') this.#copy(upper.entry(node));
        else if (!this.#isInBase(node, seesBase)) this.#put('folder', node);
        if (upper.isOpaque(node) && seesBase && base.hasChildren(node)) this.#mark('opaque', node);
        return true;
    }
  }

  /** Whether a folder without an entry is the base's, which stays as it is. */
  #isInBase(node: number, seesBase: boolean): boolean {
    const { base, upper } = this.#layered;
    return node === 0 || (seesBase && upper.state(node) === 'implicit' && base.isFolder(node));
  }

  /** Those with anything to say, by the bytes of their names. */
  #children(node: number): Int32Array {
    const { tree, upper } = this.#layered;
    let count = 0;
    for (let at = tree.firstChild(node); at !== NONE; at = tree.nextSibling(at)) {
      if (upper.state(at) !== 'absent') count += 1;
    }
    const children = new Int32Array(count);
    for (let at = tree.firstChild(node); at !== NONE; at = tree.nextSibling(at)) {
      if (upper.state(at) !== 'absent') children[--count] = at;
    }
    return children.sort((a, b) => tree.compareNames(a, b));
  }

  #leaf(node: number): void {
    const { upper, entries } = this.#layered;
    const entry = upper.entry(node);
    const inode = entries.inode(entry);
    if (!entries.isLinked(inode)) {
      this.#copy(entry);
      return;
    }
    if ((this.#firsts[inode] ?? NONE) !== NONE) {
      this.#put('link', node);
      return;
    }
    this.#firsts[inode] = node;
    this.#put('first', node);
    const body = entries.body(inode);
    this.#segments.add(body.start / BLOCK, body.length / BLOCK);
  }

  #copy(entry: number): void {
    const { start, count } = this.#layered.entries.blocks(entry);
    this.#segments.add(start, count);
    this.#entries += 1;
  }

  #mark(kind: 'whiteout' | 'opaque', node: number): void {
    this.#put(kind, node);
    this.#marks += 1;
  }

  #put(kind: MadeKind, node: number): void {
    const blocks = this.#make(kind, node);
    this.#segments.add(this.#made.add(blocks) / BLOCK, blocks.length / BLOCK);
    this.#entries += 1;
  }

  #make(kind: MadeKind, node: number): Buffer {
    const { tree } = this.#layered;
    const path = tree.path(node);
    switch (kind) {
      case 'whiteout': {
        const name = tree.name(node);
        return plainHeader(`${path.slice(0, path.length - name.length)}${WHITEOUT}${name}`, 'file');
      }
      case 'opaque':
        return plainHeader(path === '' ? OPAQUE : `${path}/${OPAQUE}`, 'file');
      case 'folder':
        return plainHeader(path, 'directory');
      case 'first':
      case 'link':
        return this.#member(kind, node, path);
    }
  }

  #member(kind: 'first' | 'link', node: number, path: string): Buffer {
    const { tree, upper, entries } = this.#layered;
    const inode = entries.inode(upper.entry(node));
    const metadata = this.#head(entries.metadata(inode));
    if (kind === 'first') return rehead({ path, metadata, inode: this.#head(inode) });
    return rehead({ path, metadata, linkname: tree.path(this.#firsts[inode] ?? 0) });
  }

  #head(entry: number): Buffer {
    const { start, length } = this.#layered.entries.head(entry);
    const blocks = Buffer.alloc(length);
    this.#spool.readNow(blocks, start);
    return blocks;
  }
}

/** Appends to the spool, many small pieces at once. */
class MadeBlocks {
  readonly #spool: SpoolFile;
  #pending: Buffer[] = [];
  #position: number;

  constructor(spool: SpoolFile, position: number) {
    this.#spool = spool;
    this.#position = position;
  }

  get isFull(): boolean {
    return this.#pending.length >= FLUSH_AT;
  }

  /** Returns where in the spool they will be. */
  add(blocks: Buffer): number {
    const at = this.#position;
    this.#pending.push(blocks);
    this.#position += blocks.length;
    return at;
  }

  async flush(): Promise<void> {
    await this.#spool.append(Buffer.concat(this.#pending));
    this.#pending = [];
  }
}

/** Owner 0:0 and time 0: the same input gives the same layer. */
function plainHeader(path: string, type: 'file' | 'directory'): Buffer {
  return encodeHeader({
    path,
    type,
    mode: type === 'file' ? 0o600 : 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeNs: 0n,
  });
}

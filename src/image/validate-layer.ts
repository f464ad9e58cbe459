/** Checks one layer as it goes by: what engines refuse or quietly get wrong when they unpack it. */
import { BLOCK } from '../tar/raw-header.js';
import type { RawEntry } from '../tar/raw.js';
import type { LayerWatcher } from './archive-file.js';
import { normalizePath, quoted, readEntryName } from './names.js';

/** Remembers all paths of its layer: meant for tests and for checking on demand. */
export class LayerChecker implements LayerWatcher {
  readonly #problems = new Set<string>();
  /** Type flag of each path seen. */
  readonly #types = new Map<string, string>();
  readonly #whiteouts = new Set<string>();
  /** Folders that have had something inside them, entry or not. */
  readonly #parents = new Set<string>();
  /** Where the last entry ends. */
  #end = 0;
  #offset = 0;
  /** Whether something else than zeros came after that. */
  #garbage = false;

  entry(entry: RawEntry): void {
    this.#end = entry.end;
    const { kind, path, problem } = readEntryName(entry.path);
    if (problem) this.#problems.add(problem.text);
    switch (kind) {
      case 'ignored':
        return;
      case 'opaque':
        this.#below(path === '' ? 'x' : `${path}/x`);
        return;
      case 'whiteout':
        if (this.#whiteouts.has(path)) this.#problems.add(`has the whiteout of ${quoted(path)} twice`);
        this.#whiteouts.add(path);
        this.#below(path);
        this.#meet(path);
        return;
      case 'path':
        this.#path(path, entry);
    }
  }

  bytes(chunk: Buffer): void {
    // The entries in this chunk were told before it: what is beyond the last must be zeros, or another entry follows.
    const from = Math.max(0, this.#end - this.#offset);
    this.#offset += chunk.length;
    if (from >= chunk.length) this.#garbage = false;
    else this.#garbage = (from === 0 && this.#garbage) || chunk.subarray(from).some((byte) => byte !== 0);
  }

  /** Predicates, e.g. `has the path "a" twice`. */
  end(): readonly string[] {
    if (this.#garbage) this.#problems.add('has something after its end');
    if (this.#offset < this.#end + 2 * BLOCK) this.#problems.add('has no end mark');
    return [...this.#problems];
  }

  #path(path: string, entry: RawEntry): void {
    if (this.#types.has(path)) this.#problems.add(`has the path ${quoted(path)} twice`);
    if (this.#parents.has(path)) {
      const text = entry.type === '5' ? 'after what is in it' : 'which is no folder, but has something in it';
      this.#problems.add(`has ${quoted(path)} ${text}`);
    }
    this.#types.set(path, entry.type);
    this.#below(path);
    this.#meet(path);
    if (entry.type !== '1') return;
    const { path: target } = normalizePath(entry.linkname);
    const type = target === undefined ? undefined : this.#types.get(target);
    if (type === undefined || type === '5' || target === path) {
      this.#problems.add(
        `has a hard link ${quoted(path)} to ${quoted(entry.linkname)}, which is no file before it`,
      );
    }
  }

  #meet(path: string): void {
    if (!this.#types.has(path) || !this.#whiteouts.has(path)) return;
    this.#problems.add(`has both ${quoted(path)} and its whiteout`);
  }

  /** Marks all parents of a path. */
  #below(path: string): void {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (this.#parents.has(parent)) return;
      this.#parents.add(parent);
      const type = this.#types.get(parent);
      if (type !== undefined && type !== '5')
        this.#problems.add(`has ${quoted(parent)} which is no folder, but has something in it`);
    }
  }
}

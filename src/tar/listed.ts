/** What `walk` gives of a folder, kept in columns: entries are made of them only where somebody asks. */
import type { Scanned } from './scan.js';
import { toEntry, type WalkedEntry } from './walk.js';

export class ListedFolder {
  readonly #paths: string[] = [];
  readonly #types: Scanned['type'][] = [];
  readonly #modes: bigint[] = [];
  readonly #sizes: bigint[] = [];
  readonly #times: bigint[] = [];
  /** Of what is not a file of one name or a folder; few, as a rule. */
  readonly #others = new Map<number, Scanned>();

  get length(): number {
    return this.#paths.length;
  }

  /** @param found in the order of `scan` */
  add(found: Scanned): void {
    const { path, type, stats } = found;
    const index = this.#paths.push(path) - 1;
    this.#types.push(type);
    this.#modes.push(stats.mode);
    this.#sizes.push(stats.size);
    this.#times.push(stats.mtimeNs);
    if ((type === 'file' && stats.nlink > 1n) || (type !== 'file' && type !== 'directory'))
      this.#others.set(index, found);
  }

  *entries(): Generator<WalkedEntry> {
    for (const [index, path] of this.#paths.entries()) {
      const other = this.#others.get(index);
      yield other === undefined ? this.#entry(index, path) : toEntry(other);
    }
  }

  #entry(index: number, path: string): WalkedEntry {
    const type = this.#types[index] ?? 'file';
    const stats = {
      mode: this.#modes[index] ?? 0n,
      size: this.#sizes[index] ?? 0n,
      mtimeNs: this.#times[index] ?? 0n,
      ...ORDINARY,
    };
    return toEntry({ path, type, stats });
  }
}

/** Of a file of one name, or a folder. */
const ORDINARY = { rdev: 0n, nlink: 1n, dev: 0n, ino: 0n };

/** What `scan` gives of a folder, kept in columns: objects are made of them only where somebody asks. */
import { EntryList } from './entry-list.js';
import type { Scanned } from './scan.js';
import { hasNames, PERMISSIONS, plainEntry, toEntry, type WalkedEntry } from './walk.js';
import { Words } from './words.js';

/** What is kept of each entry. */
export interface Listed {
  readonly type: Scanned['type'];
  /** Permissions. */
  readonly mode: number;
  readonly size: number;
  /** All that was found, where it is neither a folder nor a file of one name. */
  readonly whole: Scanned | undefined;
}

export class ListedFolder {
  readonly #paths: string[] = [];
  readonly #types: Scanned['type'][] = [];
  readonly #modes: number[] = [];
  readonly #sizes: number[] = [];
  readonly #times = new Words();
  /** Of what is not a file of one name or a folder; few, as a rule. */
  readonly #others = new Map<number, Scanned>();

  get paths(): readonly string[] {
    return this.#paths;
  }

  /**
   * @param found in the order of `scan`
   * @returns its place
   */
  add(found: Scanned): number {
    const index = this.#paths.push(found.path) - 1;
    this.set(index, found);
    return index;
  }

  /** @param found what is at the path of this place by now */
  set(index: number, found: Scanned): void {
    const { type, stats } = found;
    this.#types[index] = type;
    this.#modes[index] = Number(stats.mode) & PERMISSIONS;
    this.#sizes[index] = Number(stats.size);
    this.#times.set(index, stats.mtimeNs);
    if ((type === 'file' && !hasNames(found)) || type === 'directory') this.#others.delete(index);
    else this.#others.set(index, found);
  }

  at(index: number): Listed {
    return {
      type: this.#types[index] ?? 'file',
      mode: this.#modes[index] ?? 0,
      size: this.#sizes[index] ?? 0,
      whole: this.#others.get(index),
    };
  }

  *entries(): Generator<WalkedEntry> {
    for (const index of this.#paths.keys()) yield this.#walked(index);
  }

  /** The entries as they are, where no file has several names: which of these is the file is for a whole context to say. */
  asList(): EntryList | undefined {
    if ([...this.#others.values()].some(({ type }) => type === 'file')) return undefined;
    return new EntryList({
      paths: this.#paths,
      at: (index) => this.#walked(index).entry,
      mayLink: false,
      special: () => this.#others.keys(),
    });
  }

  #walked(index: number): WalkedEntry {
    const { type, mode, size, whole } = this.at(index);
    if (whole !== undefined) return toEntry(whole);
    const path = this.#paths[index] ?? '';
    return { entry: plainEntry(path, type, { mode, size, mtimeNs: this.#times.at(index) }) };
  }
}

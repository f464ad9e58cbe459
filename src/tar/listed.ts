/** What `scan` gives of a folder, kept in columns: objects are made of them only where somebody asks. */
import { constants } from 'node:fs';
import { EntryList } from './entry-list.js';
import type { Scanned } from './scan.js';
import { StatRows } from './stat-rows.js';
import { hasNames, PERMISSIONS, plainEntry, toEntry, type WalkedEntry } from './walk.js';

/** What an earlier listing found. */
export interface ListedBefore {
  /** In the order of `scan`. */
  readonly paths: readonly string[];
  /** By place. */
  readonly stats: StatRows;
}

export class ListedFolder {
  readonly #paths: string[] = [];
  readonly #stats = StatRows.empty();
  /** Of what is not a file of one name or a folder; few, as a rule. */
  readonly #others = new Map<number, Scanned>();

  get paths(): readonly string[] {
    return this.#paths;
  }

  /** By place. */
  get stats(): StatRows {
    return this.#stats;
  }

  /** By place: all that was found of what is neither a file of one name nor a folder. */
  get others(): ReadonlyMap<number, Scanned> {
    return this.#others;
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

  /** Add files of one name and folders that are found as they were before, from one place to before another. */
  addSame({ paths, stats }: ListedBefore, from: number, to: number): void {
    for (let place = from; place < to; place++) this.#paths.push(paths[place] ?? '');
    this.#stats.append(stats, from, to);
  }

  /** @param found what is at the path of this place by now */
  set(index: number, found: Scanned): void {
    this.#stats.set(index, found.stats);
    if (isPlain(found)) this.#others.delete(index);
    else this.#others.set(index, found);
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
    const other = this.#others.get(index);
    if (other !== undefined) return toEntry(other);
    const mode = this.#stats.mode(index);
    const type = (mode & constants.S_IFMT) === constants.S_IFDIR ? 'directory' : 'file';
    return {
      entry: plainEntry(this.#paths[index] ?? '', type, {
        mode: mode & PERMISSIONS,
        size: this.#stats.size(index),
        mtimeNs: this.#stats.mtimeNs(index),
      }),
    };
  }
}

/** Whether its stats say all: a file of one name, or a folder. */
export function isPlain(found: Scanned): boolean {
  return (found.type === 'file' && !hasNames(found)) || found.type === 'directory';
}

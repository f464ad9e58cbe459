/** Entries that are asked for by their place: of a context with many, no objects need be kept. */
import type { ContextEntry } from './context.js';

export interface Entries {
  /** By place. */
  readonly paths: readonly string[];
  /** Makes the entry of a place, the same one each time it is asked. */
  readonly at: (place: number) => ContextEntry;
  /** Whether any of them may be a hard link. */
  readonly mayLink: boolean;
  /** Places of all entries that may say more than a file or a folder has to: a link's name, extended attributes. */
  readonly special: () => Iterable<number>;
}

export class EntryList implements Iterable<ContextEntry> {
  readonly #entries: Entries;

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  static of(entries: readonly ContextEntry[]): EntryList {
    const at = (place: number): ContextEntry => {
      const entry = entries[place];
      if (entry === undefined) throw new RangeError(`no entry has the place ${place}`);
      return entry;
    };
    return new EntryList({
      paths: entries.map(({ path }) => path),
      at,
      mayLink: entries.some(({ type }) => type === 'hardlink'),
      special: () => entries.keys(),
    });
  }

  get paths(): readonly string[] {
    return this.#entries.paths;
  }

  get mayLink(): boolean {
    return this.#entries.mayLink;
  }

  /** See Entries. */
  special(): Iterable<number> {
    return this.#entries.special();
  }

  at(place: number): ContextEntry {
    return this.#entries.at(place);
  }

  *[Symbol.iterator](): Generator<ContextEntry> {
    for (const place of this.paths.keys()) yield this.at(place);
  }
}

/** Entries that are asked for by their place: of a context with many, no objects need be kept. */
import type { ContextEntry } from './context.js';

export class EntryList implements Iterable<ContextEntry> {
  /** Of the entries, by place. */
  readonly paths: readonly string[];
  /** Whether any of them may be a hard link. */
  readonly mayLink: boolean;
  readonly #at: (place: number) => ContextEntry;

  /** @param at makes the entry of a place of `paths`, the same one each time it is asked */
  constructor(paths: readonly string[], at: (place: number) => ContextEntry, mayLink: boolean) {
    this.paths = paths;
    this.#at = at;
    this.mayLink = mayLink;
  }

  static of(entries: readonly ContextEntry[]): EntryList {
    const at = (place: number): ContextEntry => {
      const entry = entries[place];
      if (entry === undefined) throw new RangeError(`no entry has the place ${place}`);
      return entry;
    };
    return new EntryList(
      entries.map(({ path }) => path),
      at,
      entries.some(({ type }) => type === 'hardlink'),
    );
  }

  at(place: number): ContextEntry {
    return this.#at(place);
  }

  *[Symbol.iterator](): Generator<ContextEntry> {
    for (const place of this.paths.keys()) yield this.#at(place);
  }
}

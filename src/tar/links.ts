/** Files with several names: the first name in a list is the file, the others become hard links to it. */
import type { ContextEntry } from './context.js';

/** Remembers first names; memory grows with the number of files that have several. */
export class LinkNames<Inode> {
  readonly #first = new Map<Inode, string>();

  /** @param entry a `file`; `inode` is what all its names share */
  name(entry: ContextEntry, inode: Inode): ContextEntry {
    const first = this.#first.get(inode);
    if (first !== undefined) return { ...entry, type: 'hardlink', size: 0, linkname: first };
    this.#first.set(inode, entry.path);
    return entry;
  }
}

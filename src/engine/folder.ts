/** A build context read once: its entries are listed for the first who asks, and kept for the rest of the build. */
import type { Readable } from 'node:stream';
import type { BuildContext, ContextEntry } from '../tar/context.js';
import { EntryList } from '../tar/entry-list.js';
import type { LocalFile } from '../tar/local-file.js';

export class Folder {
  readonly #context: BuildContext;
  #entries: Promise<EntryList> | undefined;

  constructor(context: BuildContext) {
    this.#context = context;
  }

  /** All entries in the context's order. */
  list(signal: AbortSignal): Promise<EntryList> {
    this.#entries ??= collect(this.#context.entries(signal)).catch((error: unknown) => {
      this.#entries = undefined;
      throw error;
    });
    return this.#entries;
  }

  openFile(entry: ContextEntry): LocalFile | undefined {
    return this.#context.openFile?.(entry);
  }

  open(entry: ContextEntry, signal: AbortSignal): Readable {
    return this.#context.open(entry, signal);
  }
}

async function collect(entries: ReturnType<BuildContext['entries']>): Promise<EntryList> {
  if (entries instanceof EntryList) return entries;
  // Waiting for each takes longer than making it.
  if (Symbol.iterator in entries) return EntryList.of([...entries]);
  const all: ContextEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return EntryList.of(all);
}

/** Searches a tar archive: all of its bytes in one go, each match told by the entry it is in, and its files for containers. */
import { TarError } from '../tar/errors.js';
import { TarScanner, type RawEntry, type TarEvent } from '../tar/raw.js';
import type { Match, Search } from './matcher.js';
import { ContentSink, type Place, type SearchContext, type Sink } from './search-content.js';

/** No container that could be opened is shorter. */
const SMALLEST = 18;

export class TarSink implements Sink {
  readonly #place: Place;
  readonly #context: SearchContext;
  readonly #search: Search;
  readonly #scanner = new TarScanner();
  #broken = false;
  #member: ContentSink | undefined;
  /** The entries that a match may be in: those of the last chunk, and before it as many as the longest pattern spans. */
  #entries: RawEntry[] = [];
  /** Found, but their entry's header has not come yet: names and attributes come before it. */
  #matches: Match[] = [];
  /** Of the entry that was told last. */
  #last: { readonly entry: RawEntry; readonly within: readonly string[] } | undefined;

  constructor(place: Place, context: SearchContext) {
    this.#place = place;
    this.#context = context;
    this.#search = context.matcher.start((match) => this.#matches.push(match));
  }

  async write(bytes: Buffer): Promise<void> {
    this.#search.feed(bytes);
    for (const event of this.#feed(bytes)) {
      const pending = this.#event(event);
      if (pending) await pending;
    }
    this.#tell(this.#broken || this.#scanner.finished);
  }

  async end(): Promise<void> {
    if (!this.#broken)
      this.#guard(() => {
        this.#scanner.end();
      });
    await this.#member?.end();
    this.#member = undefined;
    this.#tell(true);
  }

  #feed(bytes: Buffer): TarEvent[] {
    const oldest = this.#scanner.offset - this.#context.matcher.longest;
    this.#entries = this.#entries.filter(({ end }) => end > oldest);
    return this.#broken ? [] : (this.#guard(() => this.#scanner.feed(bytes)) ?? []);
  }

  #guard<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof TarError)) throw error;
      this.#broken = true;
      this.#context.report.unsearched(this.#place.within, 'damaged', error.message);
      return undefined;
    }
  }

  #event(event: TarEvent): Promise<void> | undefined {
    switch (event.type) {
      case 'entry':
        this.#entries.push(event.entry);
        this.#member = undefined;
        if (event.entry.size >= SMALLEST) {
          const place = { within: this.#within(event.entry), depth: this.#place.depth };
          this.#member = new ContentSink(place, this.#context, { size: event.entry.size, searched: true });
        }
        return undefined;
      case 'body': {
        const pending = this.#member?.write(event.bytes);
        if (this.#member?.idle) this.#member = undefined;
        return pending;
      }
      case 'entry-end': {
        const member = this.#member;
        this.#member = undefined;
        return member?.end();
      }
    }
  }

  /** @param all whether no more entries will come */
  #tell(all: boolean): void {
    if (this.#matches.length === 0) return;
    const { report } = this.#context;
    const known = this.#entries.at(-1)?.end ?? 0;
    const later: Match[] = [];
    for (const match of this.#matches) {
      if (!all && match.start >= known) {
        later.push(match);
        continue;
      }
      const entry = this.#entries.find(({ start, end }) => match.start >= start && match.start < end);
      report.found(match.needle, entry ? this.#within(entry) : this.#place.within, match.start);
    }
    this.#matches = later;
  }

  #within(entry: RawEntry): readonly string[] {
    if (this.#last?.entry !== entry) {
      const path = Buffer.from(entry.path, 'latin1').toString();
      this.#last = { entry, within: [...this.#place.within, path] };
    }
    return this.#last.within;
  }
}

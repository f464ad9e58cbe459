/** Searches one file's bytes as they come, and what is inside if it is a container. */
import type { Matcher, Search } from './matcher.js';
import { HEAD_BYTES, kindOf } from './search-magic.js';
import type { SearchReport } from './search-report.js';
import { TarSink } from './search-tar.js';
import { UnpackSink, unpackerFor, type Compression } from './search-unpack.js';
import { ZipSink } from './search-zip.js';

/** Takes bytes; where a promise is given, the bytes must stay as they are, and nothing else be written, until it settles. */
export interface Sink {
  write(bytes: Buffer): Promise<void> | undefined;
  end(): Promise<void> | undefined;
}

/** Where a content is. The same array of paths is given for all bytes of one content. */
export interface Place {
  readonly within: readonly string[];
  /** How many containers were opened to get there. */
  readonly depth: number;
}

/** What all parts of one search share. */
export interface SearchContext {
  readonly matcher: Matcher;
  readonly report: SearchReport;
  readonly signal: AbortSignal;
  /** Have something done if the search does not come to its end. @returns takes it back */
  onAbandon(clean: () => void): () => void;
}

/** Where a content comes from. */
export interface Origin {
  /** Bytes, where it is known. */
  readonly size?: number;
  /** Whether somebody else searches these very bytes: then only what is inside is looked at. */
  readonly searched?: boolean;
}

export class ContentSink implements Sink {
  readonly #place: Place;
  readonly #context: SearchContext;
  readonly #searched: boolean;
  /** So many bytes tell what it is. */
  readonly #enough: number;
  #head: Buffer | undefined = Buffer.alloc(0);
  #search: Search | undefined;
  #inner: Sink | undefined;

  constructor(place: Place, context: SearchContext, { size = Infinity, searched = false }: Origin = {}) {
    this.#place = place;
    this.#context = context;
    this.#searched = searched;
    this.#enough = Math.min(HEAD_BYTES, size);
  }

  /** Whether nothing more will come of it. */
  get idle(): boolean {
    return this.#head === undefined && this.#search === undefined && this.#inner === undefined;
  }

  write(bytes: Buffer): Promise<void> | undefined {
    if (this.#head === undefined) return this.#pass(bytes);
    const head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
    if (head.length >= this.#enough) return this.#open(head);
    this.#head = head === bytes ? Buffer.from(bytes) : head;
    return undefined;
  }

  async end(): Promise<void> {
    if (this.#head !== undefined) await this.#open(this.#head);
    await this.#inner?.end();
  }

  #open(head: Buffer): Promise<void> | undefined {
    this.#head = undefined;
    this.#inner = this.#opened(head);
    // A tar searches its own bytes: it knows whose they are.
    if (!this.#searched && !(this.#inner instanceof TarSink)) this.#search = this.#start();
    return this.#pass(head);
  }

  #pass(bytes: Buffer): Promise<void> | undefined {
    this.#search?.feed(bytes);
    return this.#inner?.write(bytes);
  }

  #start(): Search {
    const { matcher, report } = this.#context;
    return matcher.start(({ needle, start }) => {
      report.found(needle, this.#place.within, start);
    });
  }

  #opened(head: Buffer): Sink | undefined {
    const kind = kindOf(head);
    if (kind.is === 'plain') return undefined;
    const { within, depth } = this.#place;
    const { report } = this.#context;
    if (kind.is === 'closed') {
      report.unsearched(within, 'unsupported', `it is packed as ${kind.name}`);
      return undefined;
    }
    if (depth >= report.limits.depth) {
      report.unsearched(within, 'depth', `it is ${depth} archives deep`);
      return undefined;
    }
    const inside = { within, depth: depth + 1 };
    switch (kind.is) {
      case 'tar':
        return new TarSink(inside, this.#context);
      case 'zip':
        return new ZipSink(inside, this.#context);
      case 'gzip':
      case 'zstd':
        return this.#unpack(kind.is, inside);
    }
  }

  #unpack(compression: Compression, inside: Place): Sink | undefined {
    const stream = unpackerFor(compression);
    if (stream) return new UnpackSink(stream, new ContentSink(inside, this.#context), inside, this.#context);
    const reason = `this version of Node.js cannot unpack ${compression}`;
    this.#context.report.unsearched(inside.within, 'unsupported', reason);
    return undefined;
  }
}

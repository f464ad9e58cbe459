/** Finds many patterns in a stream of bytes at once, in time linear in the stream and memory linear in the patterns. */
import type { Needle } from './encodings.js';

/**
 * Of the beginning of each pattern the first so many bytes, or fewer, are looked for; the rest is then checked. More would be
 * faster, but what a program wraps within its first window is not found.
 */
const WINDOW_LIMIT = 12;
/** Bytes of a block; a window must have one at least. */
const BLOCK = 3;
const TABLE = 1 << 16;
const [LF, CR] = [0x0a, 0x0d];
const NO_BYTES = Buffer.alloc(0);

/** Where a needle is, in bytes from the beginning of the stream; `start` may be a few too low where line breaks came between. */
export interface Match {
  readonly needle: Needle;
  readonly start: number;
  readonly end: number;
}

export type Found = (match: Match) => void;

/**
 * The search is that of Wu and Manber ("A fast algorithm for multi-pattern searching", 1994): the last three bytes of a
 * window say by how much it can move on. Where it cannot, the patterns that begin so are followed with the algorithm of
 * Knuth, Morris and Pratt, which never looks at a byte twice: neither secrets nor contents that repeat themselves cost more,
 * and what is carried from chunk to chunk is a window and one number for each pattern.
 */
export class Matcher {
  readonly patterns: readonly Pattern[];
  /** Bytes of the longest pattern. */
  readonly longest: number;
  /** Bytes of a window: as many as the shortest pattern has, at most. */
  readonly window: number;
  /** By how much a window that ends with a block may move. */
  readonly shifts = new Uint8Array(TABLE);
  /** Patterns whose window ends with a block, by the block. */
  readonly buckets = new Map<number, readonly Pattern[]>();

  /** @param needles each of at least 3 bytes */
  constructor(needles: readonly Needle[]) {
    this.patterns = needles.map((needle, index) => new Pattern(needle, index));
    const lengths = needles.map(({ bytes }) => bytes.length);
    this.longest = Math.max(0, ...lengths);
    this.window = Math.min(WINDOW_LIMIT, ...lengths);
    if (this.window < BLOCK) throw new RangeError(`a pattern has less than ${BLOCK} bytes`);
    const furthest = this.window - BLOCK + 1;
    this.shifts.fill(furthest);
    for (const pattern of this.patterns) {
      for (let end = BLOCK; end <= this.window; end++) {
        const block = blockBefore(pattern.bytes, end);
        this.shifts[block] = Math.min(this.shifts[block] ?? 0, this.window - end);
        if (end === this.window) this.buckets.set(block, [...(this.buckets.get(block) ?? []), pattern]);
      }
    }
  }

  /** A search through one stream of its own. */
  start(found: Found): Search {
    return new Search(this, found);
  }

  /** All matches in these bytes, in the order of their ends. */
  find(bytes: Buffer): Match[] {
    const all: Match[] = [];
    this.start((match) => all.push(match)).feed(bytes);
    return all.sort((a, b) => a.end - b.end);
  }
}

function blockBefore(bytes: Buffer, end: number): number {
  return ((bytes[end - 3] ?? 0) << 8) ^ ((bytes[end - 2] ?? 0) << 4) ^ (bytes[end - 1] ?? 0);
}

class Pattern {
  readonly needle: Needle;
  readonly index: number;
  readonly bytes: Buffer;
  /** Whether programs break it into lines: those breaks do not count, except in its first window. */
  readonly wraps: boolean;
  /** For each number of matched bytes: how many are matched still where the next one does not. */
  readonly fallbacks: Uint32Array;

  constructor(needle: Needle, index: number) {
    const { bytes } = needle;
    this.needle = needle;
    this.index = index;
    this.bytes = bytes;
    this.wraps = /^(base64|hex)/.test(needle.encoding);
    this.fallbacks = new Uint32Array(bytes.length + 1);
    for (let length = 1, matched = 0; length < bytes.length; length++) {
      while (matched > 0 && bytes[matched] !== bytes[length]) matched = this.fallbacks[matched] ?? 0;
      if (bytes[matched] === bytes[length]) matched++;
      this.fallbacks[length + 1] = matched;
    }
  }
}

/** Feed it the stream piece by piece. It keeps no chunk. */
export class Search {
  readonly #matcher: Matcher;
  readonly #found: Found;
  /** Of each pattern: how many of its bytes the stream so far ends with, where it is being followed. */
  readonly #matched: Uint32Array;
  /** Of each pattern: how many line breaks came since it is being followed. */
  readonly #breaks: Uint32Array;
  /** Of each pattern: where in the stream it was followed to; it begins nowhere before, unless it is being followed. */
  readonly #fronts: Float64Array;
  /** The last bytes fed: less than a window. */
  #tail: Buffer = NO_BYTES;
  #offset = 0;
  #following = 0;

  constructor(matcher: Matcher, found: Found) {
    this.#matcher = matcher;
    this.#found = found;
    this.#matched = new Uint32Array(matcher.patterns.length);
    this.#breaks = new Uint32Array(matcher.patterns.length);
    this.#fronts = new Float64Array(matcher.patterns.length);
  }

  /** Bytes fed. */
  get offset(): number {
    return this.#offset;
  }

  feed(chunk: Buffer): void {
    const overlap = this.#matcher.window - 1;
    if (this.#following > 0) {
      for (const pattern of this.#matcher.patterns) {
        if ((this.#matched[pattern.index] ?? 0) > 0) this.#follow(pattern, chunk, 0, this.#offset);
      }
    }
    const tail = this.#tail;
    if (tail.length > 0) this.#scan(Buffer.concat([tail, chunk.subarray(0, overlap)]), tail.length, chunk);
    this.#scan(chunk, 0, chunk);
    this.#offset += chunk.length;
    this.#tail =
      chunk.length >= overlap
        ? Buffer.from(chunk.subarray(chunk.length - overlap))
        : Buffer.concat([tail, chunk]).subarray(-overlap);
  }

  /**
   * Look for windows in `bytes`, which begin `before` bytes before `chunk` and are followed by the rest of it.
   */
  #scan(bytes: Buffer, before: number, chunk: Buffer): void {
    const { shifts, buckets, window } = this.#matcher;
    const { length } = bytes;
    for (let last = window - 1; last < length;) {
      const block =
        ((bytes[last - 2] as number) << 8) ^ ((bytes[last - 1] as number) << 4) ^ (bytes[last] as number);
      const shift = shifts[block] as number;
      if (shift > 0) {
        last += shift;
        continue;
      }
      const start = last - window + 1;
      for (const pattern of buckets.get(block) ?? []) this.#try(pattern, bytes, start, before, chunk);
      last++;
    }
  }

  #try(pattern: Pattern, bytes: Buffer, start: number, before: number, chunk: Buffer): void {
    if (bytes[start] !== pattern.bytes[0] || bytes[start + 1] !== pattern.bytes[1]) return;
    const base = this.#offset - before;
    if (base + start < (this.#fronts[pattern.index] ?? 0)) return;
    const followed = this.#follow(pattern, bytes, start, base);
    if (followed && before > 0) this.#follow(pattern, chunk, bytes.length - before, this.#offset);
  }

  /**
   * Go on with a pattern from `at` until nothing of it is matched any more.
   * @param base offset of `bytes` in the stream
   * @returns whether the end of `bytes` came first
   */
  #follow(pattern: Pattern, bytes: Buffer, at: number, base: number): boolean {
    const { needle, index, bytes: wanted, wraps, fallbacks } = pattern;
    const before = this.#matched[index] ?? 0;
    let matched = before;
    let breaks = before === 0 ? 0 : (this.#breaks[index] ?? 0);
    let next = at;
    while (next < bytes.length) {
      const byte = bytes[next++];
      if (wraps && matched > 0 && (byte === LF || byte === CR)) {
        breaks++;
        continue;
      }
      while (matched > 0 && wanted[matched] !== byte) matched = fallbacks[matched] ?? 0;
      if (wanted[matched] === byte) matched++;
      if (matched === wanted.length) {
        const end = base + next;
        this.#found({ needle, start: Math.max(0, end - matched - breaks), end });
        matched = fallbacks[matched] ?? 0;
      }
      if (matched === 0) break;
    }
    this.#matched[index] = matched;
    this.#breaks[index] = breaks;
    this.#fronts[index] = base + next;
    this.#following += (matched > 0 ? 1 : 0) - (before > 0 ? 1 : 0);
    return matched > 0;
  }
}

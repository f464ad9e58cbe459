/** What a search has found, and what it could not look into: bounded, and without any secret's value. */
import type { Needle } from './encodings.js';
import { maskText } from './search-mask.js';
import type { Matcher } from './matcher.js';

/** One for each secret, encoding and place. */
export interface Finding {
  /** The secret's name. */
  readonly secret: string;
  readonly encoding: string;
  /** Paths, that of the outermost archive first, e.g. `srv/app.jar`, `META-INF/x`; empty: the content itself. */
  readonly within: readonly string[];
  /** Bytes from the beginning of the innermost container that was unpacked. */
  readonly offset: number;
}

/** What was not looked into, and why. */
export interface Unsearched {
  readonly within: readonly string[];
  readonly kind: 'encrypted' | 'unsupported' | 'damaged' | 'depth' | 'size' | 'more';
  /** For people, e.g. `it is compressed with xz`. */
  readonly reason: string;
}

/** Bounds on what a search costs. */
export interface SearchLimits {
  /** How many containers deep. */
  readonly depth: number;
  /** Bytes that may be unpacked, for a start and for each byte searched. */
  readonly unpacked: { readonly floor: number; readonly ratio: number };
  /** How many findings, and how many places not looked into, are told. */
  readonly told: number;
}

export const SEARCH_LIMITS: SearchLimits = {
  depth: 4,
  unpacked: { floor: 2 ** 30, ratio: 100 },
  told: 1000,
};

export interface SearchResult {
  readonly findings: readonly Finding[];
  readonly limits: readonly Unsearched[];
  /** Bytes of the content, as it was given. */
  readonly bytes: number;
}

/** Filled by all parts of one search. */
export class SearchReport {
  readonly limits: SearchLimits;
  readonly #matcher: Matcher;
  readonly #findings = new Map<string, Finding>();
  readonly #unsearched: Unsearched[] = [];
  /** Where each needle was found last: the same array means the same place. */
  readonly #last = new Map<Needle, readonly string[]>();
  #omitted = false;
  #bytes = 0;
  #unpacked = 0;

  constructor(matcher: Matcher, limits: SearchLimits) {
    this.#matcher = matcher;
    this.limits = limits;
  }

  read(bytes: number): void {
    this.#bytes += bytes;
  }

  /** @returns whether they may still be searched */
  unpack(bytes: number): boolean {
    this.#unpacked += bytes;
    const { floor, ratio } = this.limits.unpacked;
    return this.#unpacked <= floor + ratio * this.#bytes;
  }

  found(needle: Needle, within: readonly string[], offset: number): void {
    if (this.#last.get(needle) === within) return;
    this.#last.set(needle, within);
    const { secret, encoding } = needle;
    const key = JSON.stringify([secret, encoding, ...within]);
    if (this.#findings.has(key)) return;
    if (this.#findings.size < this.limits.told)
      this.#findings.set(key, { secret, encoding, within: this.#masked(within), offset });
    else this.#omitted = true;
  }

  unsearched(within: readonly string[], kind: Unsearched['kind'], reason: string): void {
    if (this.#unsearched.length < this.limits.told)
      this.#unsearched.push({ within: this.#masked(within), kind, reason });
    else this.#omitted = true;
  }

  result(): SearchResult {
    const reason = `more than ${this.limits.told} are not listed`;
    return {
      findings: innermost([...this.#findings.values()]),
      limits: this.#omitted ? [...this.#unsearched, { within: [], kind: 'more', reason }] : this.#unsearched,
      bytes: this.#bytes,
    };
  }

  #masked(within: readonly string[]): string[] {
    return within.map((path) => maskText(path, this.#matcher));
  }
}

/** Bytes of a member that is not compressed are bytes of its archive, too: that they are in the member says more. */
function innermost(findings: readonly Finding[]): Finding[] {
  const deeper = new Set<string>();
  const key = ({ secret, encoding }: Finding, within: readonly string[]) =>
    JSON.stringify([secret, encoding, ...within]);
  for (const finding of findings) {
    for (let depth = 0; depth < finding.within.length; depth++)
      deeper.add(key(finding, finding.within.slice(0, depth)));
  }
  return findings.filter((finding) => !deeper.has(key(finding, finding.within)));
}

/** Finds many texts at once in a text, or in a stream of pieces, and puts `***` in their place. */

const MARK = '***';

/** Characters. What is shorter is found everywhere by chance, and redacting it would hide nothing and spoil all. */
export const SHORTEST = 4;

const SLOTS = 1 << 16;

/** What of a stream has been read and not passed on: it may be the beginning of what is to be redacted. */
export interface Carry {
  readonly rest: string;
  /** How many characters of `rest` belong to a text for which `***` has been passed on already. */
  readonly covered: number;
}

export const NOTHING_CARRIED: Carry = { rest: '', covered: 0 };

export class TextRedactor {
  /** By their first four characters; longest first. */
  readonly #texts = new Map<string, string[]>();
  /** Whether any text begins with characters of this hash: nearly every position is passed by on this alone. */
  readonly #begins = new Uint8Array(SLOTS);
  #longest = 0;

  /** From now on `text` is redacted, unless it is shorter than `SHORTEST`. */
  add(text: string): void {
    if (text.length < SHORTEST) return;
    const start = text.slice(0, SHORTEST);
    const texts = this.#texts.get(start) ?? [];
    if (texts.includes(text)) return;
    texts.push(text);
    texts.sort((a, b) => b.length - a.length);
    this.#texts.set(start, texts);
    this.#begins[Array.from({ length: SHORTEST }, (_, at) => text.charCodeAt(at)).reduce(roll, 0)] = 1;
    this.#longest = Math.max(this.#longest, text.length);
  }

  /** Whether there is nothing to look for. */
  get isEmpty(): boolean {
    return this.#longest === 0;
  }

  redact(text: string): string {
    return this.next(NOTHING_CARRIED, text, 'end').clean;
  }

  /**
   * Redact the next piece of a stream. The clean pieces together are what the whole would be.
   * @param then whether the stream may go on, so that the piece may end in the midst of a text
   */
  next(carry: Carry, piece: string, then: 'more' | 'end'): { readonly clean: string; readonly carry: Carry } {
    if (this.isEmpty) return { clean: piece, carry: NOTHING_CARRIED };
    const text = carry.rest + piece;
    // Before it, every text that could begin at a position would have ended within what is known.
    const decided = then === 'end' ? text.length : Math.max(0, text.length - this.#longest + 1);
    let clean = '';
    // Texts may overlap, so where one is found it goes on for others that begin in its midst.
    let end = carry.covered;
    let hash = 0;
    const last = Math.min(text.length, decided + SHORTEST - 1);
    for (let index = 0; index < last; index++) {
      hash = roll(hash, text.charCodeAt(index));
      const at = index - SHORTEST + 1;
      if (this.#begins[hash] === 0 || at < 0) continue;
      const length = this.#longestAt(text, at);
      if (length === 0) continue;
      if (at >= end) clean += text.slice(end, at) + MARK;
      end = Math.max(end, at + length);
    }
    if (end < decided) {
      clean += text.slice(end, decided);
      end = decided;
    }
    return { clean, carry: { rest: text.slice(decided), covered: end - decided } };
  }

  /** @returns 0 where none begins */
  #longestAt(text: string, at: number): number {
    const texts = this.#texts.get(text.slice(at, at + SHORTEST));
    return texts?.find((candidate) => text.startsWith(candidate, at))?.length ?? 0;
  }
}

/** The hash of the last four characters: what came before has left its sixteen bits. */
function roll(hash: number, code: number): number {
  return ((hash << 4) ^ code) & (SLOTS - 1);
}

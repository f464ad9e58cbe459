/** Checks the bytes of an archive that no digest covers: padding, checksums in their one form, the end mark. */
import { TarError } from '../tar/errors.js';
import { BLOCK } from '../tar/raw-header.js';
import { TarScanner } from '../tar/raw.js';

const CANONICAL_CHECKSUM = /^[0-7]{6}\0 $/;

/** Feed it the whole archive. What the scanner itself refuses is not reported here. */
export class TarStrictness {
  readonly #scanner = new TarScanner();
  readonly #problems = new Set<string>();
  /** Of the current entry: where its padding starts. */
  #padding = 0;
  #pending = Buffer.alloc(0);
  #broken = false;
  #inEntry = false;

  feed(chunk: Buffer): void {
    let at = 0;
    if (this.#pending.length > 0) {
      const missing = Math.min(BLOCK - this.#pending.length, chunk.length);
      this.#pending = Buffer.concat([this.#pending, chunk.subarray(0, missing)]);
      at = missing;
      if (this.#pending.length < BLOCK) return;
      this.#piece(this.#pending);
    }
    while (chunk.length - at >= BLOCK) {
      // Of a body all but the last block may go at once.
      const whole = Math.max(BLOCK, this.#scanner.skippable - BLOCK);
      const length = Math.min(whole, Math.floor((chunk.length - at) / BLOCK) * BLOCK);
      this.#piece(chunk.subarray(at, at + length));
      at += length;
    }
    this.#pending = Buffer.from(chunk.subarray(at));
  }

  end(): readonly string[] {
    if (this.#pending.length > 0) this.#problems.add('The archive does not end with a whole block');
    if (!this.#broken && !this.#scanner.finished) this.#problems.add('The archive has no end mark');
    return [...this.#problems];
  }

  #piece(piece: Buffer): void {
    if (this.#broken) return;
    const from = this.#scanner.offset;
    const inBody = this.#scanner.skippable > 0;
    if (this.#scanner.finished || (inBody && from + piece.length > this.#padding)) {
      const start = this.#scanner.finished ? 0 : Math.max(0, this.#padding - from);
      if (piece.subarray(start).some((byte) => byte !== 0)) this.#problems.add(garbage(from + start));
    }
    try {
      for (const event of this.#scanner.feed(piece)) {
        if (event.type !== 'entry') continue;
        this.#padding = event.entry.data + event.entry.size;
        this.#inEntry = true;
      }
    } catch (error) {
      if (!(error instanceof TarError)) throw error;
      this.#broken = true;
      return;
    }
    if (this.#inEntry && !CANONICAL_CHECKSUM.test(piece.toString('latin1', 148, 156)))
      this.#problems.add(`The header at byte ${from} has its checksum in an unusual form`);
    this.#inEntry = false;
  }
}

function garbage(offset: number): string {
  return `The archive has something else than zeros between or after its files, at byte ${offset} or later`;
}

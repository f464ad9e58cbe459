/** What stat says of many entries, in rows of 64-bit words: as many objects, and bigints in them, would take longer to make. */

/** What tells an entry's state. All in the units of stat(2); times in nanoseconds. */
export interface EntryStat {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
  readonly mode: bigint;
}

const FIELDS = ['size', 'mtimeNs', 'ctimeNs', 'ino', 'dev', 'mode'] as const;
const ROW = FIELDS.length;
/** Of words, which can be compared and read without making bigints of them. */
const ROW_HALVES = 2 * ROW;
const [LOW, HIGH] = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? [0, 1] : [1, 0];
/** In halves. */
const SIZE = 2 * FIELDS.indexOf('size');
/** In halves. */
const MODE = 2 * FIELDS.indexOf('mode');
/** In words. */
const MTIME = FIELDS.indexOf('mtimeNs');

export const ROW_BYTES = ROW * BigInt64Array.BYTES_PER_ELEMENT;

export function sameStat(a: EntryStat, b: EntryStat): boolean {
  return FIELDS.every((field) => a[field] === b[field]);
}

const SCRATCH = new BigInt64Array(ROW);
const SCRATCH_HALVES = new Int32Array(SCRATCH.buffer);

/** What is asked of a row that is not there is 0. */
export class StatRows {
  #words: BigInt64Array;
  #halves: Int32Array;
  #length: number;

  private constructor(words: BigInt64Array) {
    this.#words = words;
    this.#halves = new Int32Array(words.buffer);
    this.#length = words.length / ROW;
  }

  static empty(): StatRows {
    return new StatRows(new BigInt64Array());
  }

  /** @param bytes what `bytes` gave, whole rows */
  static decode(bytes: Buffer): StatRows {
    const words = new BigInt64Array(bytes.length / BigInt64Array.BYTES_PER_ELEMENT);
    bytes.copy(new Uint8Array(words.buffer));
    return new StatRows(words);
  }

  get length(): number {
    return this.#length;
  }

  set(row: number, stat: EntryStat): void {
    this.#makeRoom(row + 1);
    write(this.#words, row, stat);
  }

  /** Append rows of another one, from one place to before another. */
  append(source: StatRows, from: number, to: number): void {
    const at = this.#length;
    this.#makeRoom(at + to - from);
    this.#words.set(source.#words.subarray(from * ROW, to * ROW), at * ROW);
  }

  isSame(row: number, stat: EntryStat): boolean {
    write(SCRATCH, 0, stat);
    const halves = this.#halves;
    const at = row * ROW_HALVES;
    for (let i = 0; i < ROW_HALVES; i++) {
      if (SCRATCH_HALVES[i] !== halves[at + i]) return false;
    }
    return true;
  }

  /** Type and permissions. */
  mode(row: number): number {
    return this.#halves[row * ROW_HALVES + MODE + LOW] ?? 0;
  }

  /** Bytes. */
  size(row: number): number {
    const at = row * ROW_HALVES + SIZE;
    return (this.#halves[at + HIGH] ?? 0) * 2 ** 32 + ((this.#halves[at + LOW] ?? 0) >>> 0);
  }

  mtimeNs(row: number): bigint {
    return this.#words[row * ROW + MTIME] ?? 0n;
  }

  /** A view of all rows. */
  bytes(): Buffer {
    return Buffer.from(this.#words.buffer, 0, this.#length * ROW_BYTES);
  }

  #makeRoom(length: number): void {
    this.#length = Math.max(this.#length, length);
    if (length * ROW <= this.#words.length) return;
    const larger = new BigInt64Array(ROW * Math.max(1024, length, (2 * this.#words.length) / ROW));
    larger.set(this.#words);
    this.#words = larger;
    this.#halves = new Int32Array(larger.buffer);
  }
}

function write(words: BigInt64Array, row: number, stat: EntryStat): void {
  let at = row * ROW;
  for (const field of FIELDS) words[at++] = stat[field];
}

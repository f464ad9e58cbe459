/** Remembers the digests of a folder's files by their stat data, so that only what has changed is read again. */
import { comparePaths, placeOf } from '../tar/paths.js';
import { DIGEST_BYTES, type Digests } from './digests.js';

/** What tells a file's state. All in the units of stat(2); times in nanoseconds. */
export interface FileStat {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
  readonly mode: bigint;
}

const FIELDS = ['size', 'mtimeNs', 'ctimeNs', 'ino', 'dev', 'mode'] as const;
const ROW = FIELDS.length;
const ROW_WORDS = 2 * ROW;
const HEAD_BYTES = 8;

const MILLISECOND = 1_000_000n;
/** The coarsest clock of a file system in use, FAT's. */
const COARSE_TICK = 2_000n * MILLISECOND;
/** Many times the tick of any file system that counts finer than milliseconds. */
const FINE_TICK = 100n * MILLISECOND;

/**
 * Whether a change behind `readAtNs` is sure to show in the stat data. A file that was written to shortly before it is read can
 * be written to once more, to the same size and within one tick of the clock, and looks as before: git calls it racy. The time
 * of change (ctime) is what counts: every write moves it, and no program can set it.
 */
export function isSettled({ ctimeNs }: FileStat, readAtNs: bigint): boolean {
  const tick = ctimeNs % MILLISECOND === 0n ? COARSE_TICK : FINE_TICK;
  return ctimeNs < readAtNs - tick;
}

/** Nanoseconds since the epoch, in whole milliseconds. */
export function now(): bigint {
  return BigInt(Date.now()) * MILLISECOND;
}

export function sameStat(a: FileStat, b: FileStat): boolean {
  return FIELDS.every((field) => a[field] === b[field]);
}

/** A file that was read since `decode`. */
interface Added {
  readonly path: string;
  readonly stats: FileStat;
  readonly digest: string;
}

/** Rows that were decoded, up to before `to`. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/** The files of one folder. Paths are latin1, digests 32 latin1 characters: the bytes of a SHA-256. */
export class StatCache {
  /** In the order of `comparePaths`, in which files are asked for too. */
  readonly #paths: readonly string[];
  /** ROW_WORDS for each path: halves of what stat says, which can be compared without making bigints of them. */
  readonly #words: Int32Array;
  readonly #digests: Buffer;
  readonly #used: Uint8Array;
  readonly #added = new Map<string, Added>();
  /** Where the next path is likely to be. */
  #next = 0;

  private constructor(paths: readonly string[], words: Int32Array, digests: Buffer) {
    this.#paths = paths;
    this.#words = words;
    this.#digests = digests;
    this.#used = new Uint8Array(paths.length);
  }

  static empty(): StatCache {
    return new StatCache([], new Int32Array(), Buffer.alloc(0));
  }

  /** @param encoded what `encode` gave; what does not fit gives an empty one */
  static decode(encoded: Buffer | undefined): StatCache {
    if (encoded === undefined || encoded.length < HEAD_BYTES) return StatCache.empty();
    const count = encoded.readUInt32LE(0);
    const statsAt = HEAD_BYTES + encoded.readUInt32LE(4);
    const digestsAt = statsAt + count * ROW_WORDS * Int32Array.BYTES_PER_ELEMENT;
    if (encoded.length !== digestsAt + count * DIGEST_BYTES) return StatCache.empty();
    const paths = count === 0 ? [] : encoded.toString('latin1', HEAD_BYTES, statsAt).split('\0');
    if (paths.length !== count) return StatCache.empty();
    const words = new Int32Array(count * ROW_WORDS);
    encoded.copy(new Uint8Array(words.buffer), 0, statsAt, digestsAt);
    return new StatCache(paths, words, encoded.subarray(digestsAt));
  }

  /** Of how many files `encode` gives what `decode` was not given. */
  get learned(): number {
    return this.#added.size;
  }

  /**
   * Put the digest of a file whose state has not changed since it was read into a place of a list.
   * @returns whether it is known
   */
  recall(path: string, stats: FileStat, into: Digests, place: number): boolean {
    const added = this.#added.get(path);
    if (added !== undefined) {
      if (!sameStat(added.stats, stats)) return false;
      into.set(place, added.digest);
      return true;
    }
    const index = this.#find(path);
    if (index === undefined || !this.#isSame(index, stats)) return false;
    this.#used[index] = 1;
    into.copy(place, this.#digests, index);
    return true;
  }

  /**
   * Only what is settled is remembered.
   * @param stats as they were both before and after the file was read
   * @param readAtNs when reading began, nanoseconds since the epoch
   */
  remember(path: string, stats: FileStat, digest: string, readAtNs: bigint): void {
    if (!isSettled(stats, readAtNs)) return;
    const { size, mtimeNs, ctimeNs, ino, dev, mode } = stats;
    this.#added.set(path, { path, stats: { size, mtimeNs, ctimeNs, ino, dev, mode }, digest });
  }

  /** What was asked for or remembered since `decode`; other files are taken for gone. Runs of what is as it was are copied whole. */
  encode(): Buffer {
    const pieces = this.#kept();
    const count = pieces.reduce((sum, piece) => sum + ('from' in piece ? piece.to - piece.from : 1), 0);
    const names: string[] = [];
    const words = new Int32Array(count * ROW_WORDS);
    const rows = new BigInt64Array(words.buffer);
    const digests = Buffer.allocUnsafe(count * DIGEST_BYTES);
    let row = 0;
    for (const piece of pieces) {
      if ('from' in piece) {
        const { from, to } = piece;
        names.push(this.#paths.slice(from, to).join('\0'));
        words.set(this.#words.subarray(from * ROW_WORDS, to * ROW_WORDS), row * ROW_WORDS);
        this.#digests.copy(digests, row * DIGEST_BYTES, from * DIGEST_BYTES, to * DIGEST_BYTES);
        row += to - from;
      } else {
        names.push(piece.path);
        writeRow(rows, row, piece.stats);
        digests.write(piece.digest, row * DIGEST_BYTES, 'latin1');
        row += 1;
      }
    }
    const paths = Buffer.from(names.join('\0'), 'latin1');
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(count, 0);
    head.writeUInt32LE(paths.length, 4);
    return Buffer.concat([head, paths, Buffer.from(words.buffer), digests]);
  }

  /** What `encode` keeps, in order. */
  #kept(): readonly (Run | Added)[] {
    const pieces: (Run | Added)[] = [];
    let next = 0;
    for (const added of [...this.#added.values()].sort((a, b) => comparePaths(a.path, b.path))) {
      const place = placeOf(this.#paths, added.path, next);
      pieces.push(...this.#usedRuns(next, place), added);
      next = this.#paths[place] === added.path ? place + 1 : place;
    }
    return [...pieces, ...this.#usedRuns(next, this.#paths.length)];
  }

  *#usedRuns(start: number, end: number): Generator<Run> {
    const used = this.#used.subarray(0, end);
    for (let to = start; to < end;) {
      const from = used.indexOf(1, to);
      if (from === -1) return;
      const gap = used.indexOf(0, from);
      to = gap === -1 ? end : gap;
      yield { from, to };
    }
  }

  #find(path: string): number | undefined {
    // In an unchanged folder, every first look is a hit.
    const at = this.#paths[this.#next] === path ? this.#next : placeOf(this.#paths, path);
    if (this.#paths[at] !== path) return undefined;
    this.#next = at + 1;
    return at;
  }

  #isSame(index: number, stats: FileStat): boolean {
    writeRow(SCRATCH, 0, stats);
    const at = index * ROW_WORDS;
    for (let i = 0; i < ROW_WORDS; i++) {
      if (SCRATCH_WORDS[i] !== this.#words[at + i]) return false;
    }
    return true;
  }
}

const SCRATCH = new BigInt64Array(ROW);
const SCRATCH_WORDS = new Int32Array(SCRATCH.buffer);

function writeRow(rows: BigInt64Array, row: number, stats: FileStat): void {
  let at = row * ROW;
  for (const field of FIELDS) rows[at++] = stats[field];
}

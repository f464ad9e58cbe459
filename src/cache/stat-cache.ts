/** Remembers the digests of a folder's files by their stat data, so that only what has changed is read again. */
import { comparePaths } from '../tar/paths.js';
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

export function sameStat(a: FileStat, b: FileStat): boolean {
  return FIELDS.every((field) => a[field] === b[field]);
}

interface Known {
  readonly stats: FileStat;
  readonly digest: string;
}

/** The files of one folder. Paths are latin1, digests 32 latin1 characters: the bytes of a SHA-256. */
export class StatCache {
  /** In the order of `comparePaths`, in which files are asked for too. */
  readonly #paths: readonly string[];
  /** ROW words for each path; and the same as words that can be compared without making numbers of them. */
  readonly #stats: BigInt64Array;
  readonly #words: Int32Array;
  readonly #digests: Buffer;
  readonly #used: Uint8Array;
  readonly #added = new Map<string, Known>();
  /** Where the next path is likely to be. */
  #next = 0;

  private constructor(paths: readonly string[], stats: BigInt64Array, digests: Buffer) {
    this.#paths = paths;
    this.#stats = stats;
    this.#words = new Int32Array(stats.buffer);
    this.#digests = digests;
    this.#used = new Uint8Array(paths.length);
  }

  static empty(): StatCache {
    return new StatCache([], new BigInt64Array(), Buffer.alloc(0));
  }

  /** @param encoded what `encode` gave; what does not fit gives an empty one */
  static decode(encoded: Buffer | undefined): StatCache {
    if (encoded === undefined || encoded.length < HEAD_BYTES) return StatCache.empty();
    const count = encoded.readUInt32LE(0);
    const statsAt = HEAD_BYTES + encoded.readUInt32LE(4);
    const digestsAt = statsAt + count * ROW * BigInt64Array.BYTES_PER_ELEMENT;
    if (encoded.length !== digestsAt + count * DIGEST_BYTES) return StatCache.empty();
    const paths = count === 0 ? [] : encoded.toString('latin1', HEAD_BYTES, statsAt).split('\0');
    if (paths.length !== count) return StatCache.empty();
    const stats = new BigInt64Array(count * ROW);
    encoded.copy(new Uint8Array(stats.buffer), 0, statsAt, digestsAt);
    return new StatCache(paths, stats, encoded.subarray(digestsAt));
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
    this.#added.set(path, { stats: { size, mtimeNs, ctimeNs, ino, dev, mode }, digest });
  }

  /** What was asked for or remembered since `decode`; other files are taken for gone. */
  encode(): Buffer {
    const files: (readonly [path: string, from: number | Known])[] = [...this.#added];
    for (const [index, path] of this.#paths.entries()) {
      if (this.#used[index] === 1 && !this.#added.has(path)) files.push([path, index]);
    }
    files.sort(([a], [b]) => comparePaths(a, b));
    const paths = Buffer.from(files.map(([path]) => path).join('\0'), 'latin1');
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(files.length, 0);
    head.writeUInt32LE(paths.length, 4);
    const stats = new BigInt64Array(files.length * ROW);
    for (const [at, [, from]] of files.entries()) {
      if (typeof from === 'number') stats.set(this.#stats.subarray(from * ROW, (from + 1) * ROW), at * ROW);
      else writeRow(stats, at, from.stats);
    }
    const digests = files.map(([, from]) =>
      typeof from === 'number'
        ? this.#digests.subarray(from * DIGEST_BYTES, (from + 1) * DIGEST_BYTES)
        : Buffer.from(from.digest, 'latin1'),
    );
    return Buffer.concat([head, paths, Buffer.from(stats.buffer), ...digests]);
  }

  #find(path: string): number | undefined {
    let low = 0;
    let high = this.#paths.length;
    // In an unchanged folder, every first look is a hit.
    for (let at = this.#next; low < high; at = (low + high) >>> 1) {
      const order = at < high ? comparePaths(path, this.#paths[at] ?? '') : -1;
      if (order === 0) {
        this.#next = at + 1;
        return at;
      }
      if (order < 0) high = Math.min(high, at);
      else low = at + 1;
    }
    return undefined;
  }

  #isSame(index: number, stats: FileStat): boolean {
    writeRow(SCRATCH, 0, stats);
    const at = index * SCRATCH_WORDS.length;
    for (let i = 0; i < SCRATCH_WORDS.length; i++) {
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

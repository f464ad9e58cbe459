/** Remembers what a folder held, and the digests of its files, by stat data: only what has changed is read again. */
import { comparePaths, placeOf } from '../tar/paths.js';
import { ROW_BYTES, sameStat, StatRows, type EntryStat } from '../tar/stat-rows.js';
import { DIGEST_BYTES, Digests } from './digests.js';

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
export function isSettled({ ctimeNs }: EntryStat, readAtNs: bigint): boolean {
  const tick = ctimeNs % MILLISECOND === 0n ? COARSE_TICK : FINE_TICK;
  return ctimeNs < readAtNs - tick;
}

/** Nanoseconds since the epoch, in whole milliseconds. */
export function now(): bigint {
  return BigInt(Date.now()) * MILLISECOND;
}

/** An entry that was not, or not as it is, among those that were decoded. */
interface Added {
  readonly path: string;
  readonly stats: EntryStat;
  /** Of a file. */
  readonly digest?: string;
}

/** Rows that were decoded, up to before `to`. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/** What is known, by row: paths are latin1, in the order of `comparePaths`; only files have digests. */
export interface KnownEntries {
  readonly paths: readonly string[];
  readonly stats: StatRows;
  readonly digests: Digests;
}

/** The files and folders below one folder. A single digest is 32 latin1 characters: the bytes of a SHA-256. */
export class StatCache {
  /** As they were decoded. */
  readonly entries: KnownEntries;
  readonly #used: Uint8Array;
  readonly #added = new Map<string, Added>();
  #learned = 0;
  #kept = 0;
  /** Where the next path is likely to be. */
  #next = 0;

  private constructor(entries: KnownEntries) {
    this.entries = entries;
    this.#used = new Uint8Array(entries.paths.length);
  }

  static empty(): StatCache {
    return new StatCache({ paths: [], stats: StatRows.empty(), digests: Digests.empty() });
  }

  /** @param encoded what `encode` gave; what does not fit gives an empty one */
  static decode(encoded: Buffer | undefined): StatCache {
    if (encoded === undefined || encoded.length < HEAD_BYTES) return StatCache.empty();
    const count = encoded.readUInt32LE(0);
    const statsAt = HEAD_BYTES + encoded.readUInt32LE(4);
    const digestsAt = statsAt + count * ROW_BYTES;
    if (encoded.length !== digestsAt + count * (DIGEST_BYTES + 1)) return StatCache.empty();
    const paths = count === 0 ? [] : encoded.toString('latin1', HEAD_BYTES, statsAt).split('\0');
    if (paths.length !== count) return StatCache.empty();
    return new StatCache({
      paths,
      stats: StatRows.decode(encoded.subarray(statsAt, digestsAt)),
      digests: Digests.decode(encoded.subarray(digestsAt)),
    });
  }

  /** How often a file was remembered. */
  get learned(): number {
    return this.#learned;
  }

  /** Grows with all that makes `encode` give more of files. */
  get size(): number {
    return this.#learned + this.#kept;
  }

  /**
   * Where an entry was decoded as it is now; what was remembered since has no row. Once it is taken from there, call `keep`.
   * @param path likely to be the one after that of the last call
   */
  rowOf(path: string, stats: EntryStat): number | undefined {
    if (this.#added.size > 0 && this.#added.has(path)) return undefined;
    const row = this.#find(path);
    return row !== undefined && this.entries.stats.isSame(row, stats) ? row : undefined;
  }

  /** Rows that were found again stay, up to before `to`. */
  keep(from: number, to: number): void {
    for (let row = from; row < to; row++) {
      if (this.#used[row] === 1) continue;
      this.#used[row] = 1;
      this.#kept++;
    }
  }

  /**
   * Put the digest of a file whose state has not changed since it was read into a place of a list.
   * @returns whether it is known
   */
  recall(path: string, stats: EntryStat, into: Digests, place: number): boolean {
    const added = this.#added.get(path);
    if (added !== undefined) {
      if (added.digest === undefined || !sameStat(added.stats, stats)) return false;
      into.set(place, added.digest);
      return true;
    }
    const row = this.rowOf(path, stats);
    if (row === undefined || !this.entries.digests.has(row)) return false;
    this.keep(row, row + 1);
    into.copy(place, this.entries.digests, row, row + 1);
    return true;
  }

  /**
   * Only what is settled is remembered.
   * @param stats as they were both before and after the file was read
   * @param readAtNs when reading began, nanoseconds since the epoch
   */
  remember(path: string, stats: EntryStat, digest: string, readAtNs: bigint): void {
    if (!isSettled(stats, readAtNs)) return;
    this.#added.set(path, { path, stats: copyOf(stats), digest });
    this.#learned++;
  }

  /** Of a folder, stat says all there is to know: it is no news by itself. */
  rememberFolder(path: string, stats: EntryStat): void {
    this.#added.set(path, { path, stats: copyOf(stats) });
  }

  /** What was kept, recalled or remembered since `decode`; other entries are taken for gone. Runs of rows are copied whole. */
  encode(): Buffer {
    const names: string[] = [];
    const stats = StatRows.empty();
    const digests = Digests.empty();
    for (const piece of this.#pieces()) {
      const row = stats.length;
      if ('from' in piece) {
        const { from, to } = piece;
        names.push(this.entries.paths.slice(from, to).join('\0'));
        stats.append(this.entries.stats, from, to);
        digests.copy(row, this.entries.digests, from, to);
      } else {
        names.push(piece.path);
        stats.set(row, piece.stats);
        if (piece.digest !== undefined) digests.set(row, piece.digest);
      }
    }
    const paths = Buffer.from(names.join('\0'), 'latin1');
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(stats.length, 0);
    head.writeUInt32LE(paths.length, 4);
    return Buffer.concat([head, paths, stats.bytes(), digests.encode(stats.length)]);
  }

  /** What `encode` gives, in order. */
  *#pieces(): Generator<Run | Added> {
    const { paths } = this.entries;
    let next = 0;
    for (const added of [...this.#added.values()].sort((a, b) => comparePaths(a.path, b.path))) {
      const place = placeOf(paths, added.path, next);
      yield* this.#usedRuns(next, place);
      yield added;
      next = paths[place] === added.path ? place + 1 : place;
    }
    yield* this.#usedRuns(next, paths.length);
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
    const { paths } = this.entries;
    // In an unchanged folder, every first look is a hit.
    const at = paths[this.#next] === path ? this.#next : placeOf(paths, path);
    if (paths[at] !== path) return undefined;
    this.#next = at + 1;
    return at;
  }
}

/** Stats of Node hold much more. */
function copyOf({ size, mtimeNs, ctimeNs, ino, dev, mode }: EntryStat): EntryStat {
  return { size, mtimeNs, ctimeNs, ino, dev, mode };
}

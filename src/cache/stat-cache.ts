/** Remembers the digests of a folder's files by their stat data, so that only what has changed is read again. */

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
const DIGEST_BYTES = 32;
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
  readonly #indexes: ReadonlyMap<string, number>;
  /** One column for each of FIELDS. */
  readonly #columns: readonly BigInt64Array[];
  readonly #digests: Buffer;
  readonly #used: Uint8Array;
  readonly #added = new Map<string, Known>();

  private constructor(paths: readonly string[], columns: readonly BigInt64Array[], digests: Buffer) {
    this.#indexes = new Map(paths.map((path, index) => [path, index]));
    this.#columns = columns;
    this.#digests = digests;
    this.#used = new Uint8Array(paths.length);
  }

  static empty(): StatCache {
    return new StatCache(
      [],
      FIELDS.map(() => new BigInt64Array()),
      Buffer.alloc(0),
    );
  }

  /** @param encoded what `encode` gave, unchanged; anything else that does not fit gives an empty one */
  static decode(encoded: Buffer | undefined): StatCache {
    if (encoded === undefined || encoded.length < HEAD_BYTES) return StatCache.empty();
    const count = encoded.readUInt32LE(0);
    const columnsAt = HEAD_BYTES + encoded.readUInt32LE(4);
    const columnBytes = count * BigInt64Array.BYTES_PER_ELEMENT;
    const digestsAt = columnsAt + columnBytes * FIELDS.length;
    if (encoded.length !== digestsAt + count * DIGEST_BYTES) return StatCache.empty();
    const paths = count === 0 ? [] : encoded.toString('latin1', HEAD_BYTES, columnsAt).split('\0');
    if (paths.length !== count) return StatCache.empty();
    const columns = FIELDS.map((_, index) => {
      const start = columnsAt + index * columnBytes;
      // A copy, since a view would have to begin at a multiple of eight.
      return new BigInt64Array(Uint8Array.prototype.slice.call(encoded, start, start + columnBytes).buffer);
    });
    return new StatCache(paths, columns, encoded.subarray(digestsAt));
  }

  /** Whether `encode` would give something new that is worth writing. */
  get learned(): boolean {
    return this.#added.size > 0;
  }

  /** The digest of a file whose state has not changed since it was read. */
  digestOf(path: string, stats: FileStat): string | undefined {
    const added = this.#added.get(path);
    if (added !== undefined) return sameStat(added.stats, stats) ? added.digest : undefined;
    const index = this.#indexes.get(path);
    if (index === undefined) return undefined;
    const same = FIELDS.every((field, i) => this.#columns[i]?.[index] === BigInt.asIntN(64, stats[field]));
    if (!same) return undefined;
    this.#used[index] = 1;
    return this.#digests.toString('latin1', index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
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
    const kept = [...this.#indexes].filter(
      ([path, index]) => this.#used[index] === 1 && !this.#added.has(path),
    );
    const added = [...this.#added];
    const paths = Buffer.from([...kept, ...added].map(([path]) => path).join('\0'), 'latin1');
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(kept.length + added.length, 0);
    head.writeUInt32LE(paths.length, 4);
    const columns = FIELDS.map((field, i) => {
      const column = new BigInt64Array(kept.length + added.length);
      for (const [at, [, index]] of kept.entries()) column[at] = this.#columns[i]?.[index] ?? 0n;
      for (const [at, [, { stats }]] of added.entries()) column[kept.length + at] = stats[field];
      return Buffer.from(column.buffer);
    });
    const digests = [
      ...kept.map(([, index]) => this.#digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES)),
      ...added.map(([, { digest }]) => Buffer.from(digest, 'latin1')),
    ];
    return Buffer.concat([head, paths, ...columns, ...digests]);
  }
}

/**
 * The digest of a context folder as a builder sees it.
 *
 * Both builders' caches compare path, type, permissions, owner, size, target of links, device numbers, some extended
 * attributes and content, and pass over times (BuildKit: cache/contenthash/tarsum.go; classic: pkg/tarsum/versioning.go of
 * moby). Of these, owners and attributes of a folder are not sent at all (src/tar/walk.ts). Beyond them this digest tells
 * which names are hard links to one file: a COPY keeps that.
 */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { monotonic } from '../clock.js';
import { ContextError } from '../tar/errors.js';
import type { IgnoreMatcher } from '../tar/ignore.js';
import { shown } from '../tar/paths.js';
import { Digests } from './digests.js';
import { hashLarge, hashSmall, SMALL } from './hash-file.js';
import { encodeLayout, FileStates, layoutOf, type Layout } from './file-states.js';
import { look, scan, type Scanned } from '../tar/scan.js';
import { isPlain, ListedFolder } from '../tar/listed.js';
import { hasNames, PERMISSIONS } from '../tar/walk.js';
import { isSettled, now, type StatCache } from './stat-cache.js';

export interface ContextFolder {
  /** Absolute. */
  readonly directory: string;
  readonly ignore?: IgnoreMatcher;
  /** Folders that count even if ignored, relative, latin1: see `artifactParents`. */
  readonly parents?: readonly string[];
}

export interface ContextDigest {
  /** Hex. Equal where a builder would see the same, whenever it was written. */
  readonly digest: string;
  /** What it held, for `explain`. */
  readonly files: () => FileStates;
}

/** Tells whether anybody has written to a context since. */
export interface ContextStamp {
  /** Gives hex. Of all that an EntryStat says: equal only where nothing settled was written to in between, even if it was changed back. */
  readonly stats: () => string;
  /** Digests of the files that were not settled (`isSettled`), by their place in the listing. */
  readonly racy: ReadonlyMap<number, string>;
}

export interface ContextListing {
  readonly stamp: ContextStamp;
  /** Absent where contents were left for later. */
  readonly digest?: ContextDigest;
  /** Digests of files by their place in the listing, as far as they were read. */
  readonly contents: Pick<Digests, 'at'>;
  readonly listed: ListedFolder;
}

export interface ListingOptions {
  /** `later`: only of files that could be written to once more without its showing. */
  readonly readsContents: 'now' | 'later';
  readonly signal: AbortSignal;
}

/** How long others wait, in milliseconds; what is done between two looks at the clock may add as much. */
const SLICE = 10;
/** Entries. */
const BETWEEN_LOOKS = 16;
const LARGE_AT_ONCE = 4;
/** How often a file is read again that changes while it is read. */
const ATTEMPTS = 3;

/**
 * List a context. Contents are read only where `known` does not have their digests. Memory grows with the number of paths.
 * @throws ContextError naming what cannot be read or does not keep still: then build without a fingerprint, for the builder may not
 * need it; the signal's reason on abort
 */
export async function listContext(
  context: ContextFolder,
  known: StatCache,
  { readsContents, signal }: ListingOptions,
): Promise<ContextListing> {
  signal.throwIfAborted();
  const listing = new Listing(context.directory, known, readsContents, signal);
  let until = monotonic() + SLICE;
  let count = 0;
  for (const found of scan(context.directory, context.ignore)) {
    listing.add(found);
    if (++count % BETWEEN_LOOKS !== 0 || monotonic() < until) continue;
    await turn();
    signal.throwIfAborted();
    until = monotonic() + SLICE;
  }
  await listing.readLarge();
  return listing.summary(parentStates(context));
}

/**
 * Whether nobody has written to a context between two listings of it, even if it was changed back.
 * @param after with all contents
 */
export function isUntouched({ stamp }: ContextListing, after: ContextListing): boolean {
  if (stamp.stats() !== after.stamp.stats()) return false;
  return [...stamp.racy].every(([index, content]) => after.contents.at(index) === content);
}

/**
 * What is known of the entries, in columns: of the many objects of stat, none is kept. What is as it was when it was remembered
 * is not even put into them one by one, but in runs.
 */
class Listing {
  readonly #directory: string;
  readonly #known: StatCache;
  readonly #readsContents: ListingOptions['readsContents'];
  readonly #signal: AbortSignal;
  readonly #listed = new ListedFolder();
  readonly #contents = Digests.empty();
  readonly #racy = new Map<number, string>();
  /** First names of files that have several, by inode. */
  readonly #firstNames = new Map<string, string>();
  /** First names of files that are listed under another one, by the place of that. */
  readonly #links = new Map<number, string>();
  /** Files still to be read. */
  readonly #later: { readonly index: number; readonly found: Scanned }[] = [];
  /** Rows of `known` that were found again and are still to be put into the columns. */
  #run = { from: 0, to: 0 };

  constructor(
    directory: string,
    known: StatCache,
    readsContents: ListingOptions['readsContents'],
    signal: AbortSignal,
  ) {
    this.#directory = directory;
    this.#known = known;
    this.#readsContents = readsContents;
    this.#signal = signal;
  }

  /** Contents of small files are read at once. */
  add(found: Scanned): void {
    const { path, type, stats } = found;
    const row = isPlain(found) ? this.#known.rowOf(path, stats) : undefined;
    if (row !== undefined && (type === 'directory' || this.#known.entries.digests.has(row))) {
      if (row !== this.#run.to) this.#endRun(row);
      this.#run.to++;
      return;
    }
    this.#endRun();
    const index = this.#listed.add(found);
    if (type === 'directory') this.#known.rememberFolder(path, stats);
    if (type !== 'file') return;
    const first = hasNames(found) ? this.#firstName(found) : path;
    if (first !== path) {
      this.#links.set(index, first);
      return;
    }
    if (this.#known.recall(path, stats, this.#contents, index)) return;
    if (this.#readsContents === 'now' || !isSettled(stats, now())) this.#readSmall(index, found);
  }

  /** Once all entries have been added. */
  async readLarge(): Promise<void> {
    this.#endRun();
    const work = async (): Promise<void> => {
      for (let next = this.#later.pop(); next !== undefined; next = this.#later.pop()) {
        await this.#read(next.index, next.found);
      }
    };
    await Promise.all(Array.from({ length: LARGE_AT_ONCE }, work));
  }

  summary(parents: readonly string[]): ContextListing {
    const layout = layoutOf(this.#listed, this.#links);
    const hash = createHash('sha256');
    for (const part of encodeLayout(layout)) hash.update(part);
    const places = hash.update(parents.join(''), 'latin1').digest('hex');
    // Of the folder itself only this counts: what came and went in it.
    const root = look(this.#directory, '.')?.stats.ctimeNs;
    const { stats } = this.#listed;
    return {
      stamp: {
        stats: () =>
          createHash('sha256')
            .update(`${places} ${String(root)}`)
            .update(stats.bytes())
            .digest('hex'),
        racy: this.#racy,
      },
      contents: this.#contents,
      listed: this.#listed,
      ...(this.#readsContents === 'now' && { digest: this.#digest(layout, places) }),
    };
  }

  /** @param next where the next run begins */
  #endRun(next = this.#run.to): void {
    const { from, to } = this.#run;
    if (from < to) {
      const { entries } = this.#known;
      this.#contents.copy(this.#listed.paths.length, entries.digests, from, to);
      this.#listed.addSame(entries, from, to);
      this.#known.keep(from, to);
    }
    this.#run = { from: next, to: next };
  }

  #digest(layout: Layout, places: string): ContextDigest {
    const contents = this.#contents.present();
    const hash = createHash('sha256').update(places);
    for (const piece of contents) hash.update(piece);
    return { digest: hash.digest('hex'), files: () => new FileStates(layout, contents) };
  }

  #readSmall(index: number, found: Scanned): void {
    const { path, stats } = found;
    if (stats.size <= SMALL) {
      const readAt = now();
      const content = hashSmall(this.#directory, path, stats);
      if (content !== undefined) {
        this.#learn(index, found, content, readAt);
        return;
      }
    }
    this.#later.push({ index, found });
  }

  async #read(index: number, first: Scanned): Promise<void> {
    const { path } = first;
    let found = first;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.#signal.throwIfAborted();
      const readAt = now();
      const content = await hashLarge(this.#directory, path, found.stats, this.#signal);
      if (content !== undefined) {
        this.#listed.set(index, found);
        this.#learn(index, found, content, readAt);
        return;
      }
      const again = look(this.#directory, path);
      if (again?.type !== 'file') break;
      found = again;
    }
    throw new ContextError(`${shown(path)} of the context changed while it was being read`, {
      hint: 'Build again when nothing writes to it, or leave it out with a line in .dockerignore.',
    });
  }

  #learn(index: number, { path, stats }: Scanned, content: string, readAt: bigint): void {
    this.#contents.set(index, content);
    this.#known.remember(path, stats, content, readAt);
    if (!isSettled(stats, readAt)) this.#racy.set(index, content);
  }

  #firstName({ path, stats }: Scanned): string {
    const inode = `${String(stats.dev)}:${String(stats.ino)}`;
    const first = this.#firstNames.get(inode) ?? path;
    this.#firstNames.set(inode, first);
    return first;
  }
}

/** Folders that artifacts need look like those of the context folder, ignored or not (src/tar/overlay.ts). */
function parentStates({ directory, parents = [] }: ContextFolder): readonly string[] {
  return [...parents].sort().map((path) => {
    let found: Scanned | undefined;
    try {
      found = look(directory, path);
    } catch (error) {
      if (!(error instanceof ContextError)) throw error;
    }
    const mode = found?.type === 'directory' ? (Number(found.stats.mode) & PERMISSIONS).toString(8) : 'none';
    return `parent ${mode}\0${path}\0`;
  });
}

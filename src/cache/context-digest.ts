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
import { ContextError } from '../tar/errors.js';
import type { IgnoreMatcher } from '../tar/ignore.js';
import { shown } from '../tar/paths.js';
import { hashLarge, hashSmall, SMALL } from './hash-file.js';
import { FileStates } from './file-states.js';
import { look, scan, type Scanned } from '../tar/scan.js';
import { ListedFolder } from '../tar/listed.js';
import type { FileStat, StatCache } from './stat-cache.js';

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
  /** Hex. Equal only where nothing was written to in between, even if it was changed back. */
  readonly stamp: string;
  /** What it held, for `explain`. */
  readonly files: () => FileStates;
}

export interface ContextListing {
  readonly digest: ContextDigest;
  /** Absent where it was not asked for, or is too much to be kept. */
  readonly listed?: ListedFolder;
}

/** How long others wait at most, in milliseconds. */
const SLICE = 10;
const LARGE_AT_ONCE = 4;
/** How often a file is read again that changes while it is read. */
const ATTEMPTS = 3;
const PERMISSIONS = 0o7777;
/** Some 10 MB. */
const MOST_LISTED = 50_000;
/** Each call of a hash costs more than a short text. */
const TEXT_AT_ONCE = 1 << 16;

/**
 * List a context. Contents are read only where `known` does not have their digests. Memory grows with the number of paths.
 * @throws ContextError naming what cannot be read or does not keep still: then build without a fingerprint, for the builder may not
 * need it; the signal's reason on abort
 */
export async function listContext(
  context: ContextFolder,
  known: StatCache,
  { keepsList, signal }: { readonly keepsList: boolean; readonly signal: AbortSignal },
): Promise<ContextListing> {
  signal.throwIfAborted();
  const listing = new Listing(context.directory, known, signal);
  let listed = keepsList ? new ListedFolder() : undefined;
  let until = performance.now() + SLICE;
  for (const found of scan(context.directory, context.ignore)) {
    listing.add(found);
    listed?.add(found);
    if (listed !== undefined && listed.length > MOST_LISTED) listed = undefined;
    if (performance.now() < until) continue;
    await turn();
    signal.throwIfAborted();
    until = performance.now() + SLICE;
  }
  await listing.readLarge();
  const digest = listing.summary(parentStates(context));
  return { digest, ...(listed !== undefined && { listed }) };
}

/** What is known of the entries, in columns: of the many objects of stat, none is kept. */
class Listing {
  readonly #directory: string;
  readonly #known: StatCache;
  readonly #signal: AbortSignal;
  readonly #paths: string[] = [];
  readonly #states: string[] = [];
  readonly #changeTimes: bigint[] = [];
  readonly #inodes: bigint[] = [];
  /** First names of files that have several, by inode. */
  readonly #links = new Map<string, string>();
  /** Files still to be read. */
  readonly #later: { readonly index: number; readonly found: Scanned }[] = [];

  constructor(directory: string, known: StatCache, signal: AbortSignal) {
    this.#directory = directory;
    this.#known = known;
    this.#signal = signal;
  }

  /** Contents of small files are read at once. */
  add(found: Scanned): void {
    const { path, type, stats } = found;
    const index = this.#paths.push(path) - 1;
    if (type !== 'file') {
      this.#set(index, found, stateOf(found));
      return;
    }
    const first = stats.nlink === 1n ? path : this.#firstName(found);
    if (first !== path) {
      this.#set(index, found, `hardlink ${modeOf(stats)} ${first}`);
      return;
    }
    const content = this.#known.digestOf(path, stats) ?? this.#readSmall(found);
    if (content === undefined) this.#later.push({ index, found });
    else this.#set(index, found, stateOf(found, content));
  }

  async readLarge(): Promise<void> {
    const work = async (): Promise<void> => {
      for (let next = this.#later.pop(); next !== undefined; next = this.#later.pop()) {
        await this.#read(next.index, next.found);
      }
    };
    await Promise.all(Array.from({ length: LARGE_AT_ONCE }, work));
  }

  /** Paths and states hold no NUL, except in digests, whose length is known: nothing can be read in two ways. */
  summary(parents: readonly string[]): ContextDigest {
    const hash = createHash('sha256');
    let text = '';
    for (const [index, path] of this.#paths.entries()) {
      text += `${this.#states[index] ?? ''}\0${path}\0`;
      if (text.length < TEXT_AT_ONCE) continue;
      hash.update(text, 'latin1');
      text = '';
    }
    const digest = hash.update(text + parents.join(''), 'latin1').digest('hex');
    // Of the folder itself only this counts: what came and went in it.
    const root = look(this.#directory, '.')?.stats.ctimeNs;
    const stamp = createHash('sha256').update(`${digest} ${String(root)}`);
    for (const column of [this.#changeTimes, this.#inodes]) stamp.update(BigInt64Array.from(column));
    return { digest, stamp: stamp.digest('hex'), files: () => FileStates.of(this.#paths, this.#states) };
  }

  #readSmall({ path, stats }: Scanned): string | undefined {
    if (stats.size > SMALL) return undefined;
    const readAt = now();
    const content = hashSmall(this.#directory, path, stats);
    if (content !== undefined) this.#known.remember(path, stats, content, readAt);
    return content;
  }

  async #read(index: number, first: Scanned): Promise<void> {
    const { path } = first;
    let found = first;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.#signal.throwIfAborted();
      const readAt = now();
      const content = await hashLarge(this.#directory, path, found.stats, this.#signal);
      if (content !== undefined) {
        this.#known.remember(path, found.stats, content, readAt);
        this.#set(index, found, stateOf(found, content));
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

  #set(index: number, { stats }: Scanned, state: string): void {
    this.#states[index] = state;
    this.#changeTimes[index] = stats.ctimeNs;
    this.#inodes[index] = stats.ino;
  }

  #firstName({ path, stats }: Scanned): string {
    const inode = `${String(stats.dev)}:${String(stats.ino)}`;
    const first = this.#links.get(inode) ?? path;
    this.#links.set(inode, first);
    return first;
  }
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Type, permissions, and what else the type has; the digest of a file comes last. */
function stateOf({ type, stats, target = '' }: Scanned, content = ''): string {
  const mode = modeOf(stats);
  switch (type) {
    case 'file':
      return `file ${mode} ${String(stats.size)} ${content}`;
    case 'symlink':
      return `symlink ${mode} ${target}`;
    case 'character':
    case 'block':
      return `${type} ${mode} ${String(stats.rdev)}`;
    case 'directory':
    case 'fifo':
      return `${type} ${mode}`;
  }
}

function modeOf({ mode }: FileStat): string {
  return (Number(mode) & PERMISSIONS).toString(8);
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
    const mode = found?.type === 'directory' ? modeOf(found.stats) : 'none';
    return `parent ${mode}\0${path}\0`;
  });
}

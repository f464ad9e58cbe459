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
import { look, scan, type Scanned } from './scan.js';
import type { StatCache } from './stat-cache.js';

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
  readonly files: FileStates;
}

/** How long others wait at most, in milliseconds. */
const SLICE = 10;
const LARGE_AT_ONCE = 4;
/** How often a file is read again that changes while it is read. */
const ATTEMPTS = 3;
const PERMISSIONS = 0o7777;
const TEXT_AT_ONCE = 1 << 16;

/**
 * Contents are read only where `known` does not have their digests. Memory grows with the number of paths.
 * @throws ContextError naming what cannot be read or does not keep still: then build without a fingerprint, for the builder may not
 * need it; the signal's reason on abort
 */
export async function digestContext(
  context: ContextFolder,
  known: StatCache,
  signal: AbortSignal,
): Promise<ContextDigest> {
  signal.throwIfAborted();
  const contents = new Contents(context.directory, known, signal);
  const items: Item[] = [];
  let until = performance.now() + SLICE;
  for (const found of scan(context.directory, context.ignore)) {
    items.push(contents.item(found));
    if (performance.now() < until) continue;
    await turn();
    signal.throwIfAborted();
    until = performance.now() + SLICE;
  }
  await contents.finish();
  return summary(items, parentStates(context));
}

/** An entry; `content` of a file may come later. */
interface Item {
  found: Scanned;
  content: string | undefined;
}

/** Finds the digests of files: known ones, those of small files at once, those of large files at the end. */
class Contents {
  readonly #directory: string;
  readonly #known: StatCache;
  readonly #signal: AbortSignal;
  readonly #later: Item[] = [];

  constructor(directory: string, known: StatCache, signal: AbortSignal) {
    this.#directory = directory;
    this.#known = known;
    this.#signal = signal;
  }

  item(found: Scanned): Item {
    const { path, type, stats } = found;
    if (type !== 'file') return { found, content: undefined };
    const item: Item = { found, content: this.#known.digestOf(path, stats) };
    if (item.content !== undefined) return item;
    if (stats.size <= SMALL) {
      const readAt = now();
      item.content = hashSmall(this.#directory, path, stats);
      this.#remember(item, readAt);
    }
    if (item.content === undefined) this.#later.push(item);
    return item;
  }

  /** Resolves when every item has its content. */
  async finish(): Promise<void> {
    const work = async (): Promise<void> => {
      for (let item = this.#later.pop(); item !== undefined; item = this.#later.pop()) await this.#read(item);
    };
    await Promise.all(Array.from({ length: LARGE_AT_ONCE }, work));
  }

  async #read(item: Item): Promise<void> {
    const { path } = item.found;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.#signal.throwIfAborted();
      const readAt = now();
      item.content = await hashLarge(this.#directory, path, item.found.stats, this.#signal);
      this.#remember(item, readAt);
      if (item.content !== undefined) return;
      const again = look(this.#directory, path);
      if (again?.type !== 'file') break;
      item.found = again;
    }
    throw new ContextError(`${shown(path)} of the context changed while it was being read`, {
      hint: 'Build again when nothing writes to it, or leave it out with a line in .dockerignore.',
    });
  }

  #remember({ found: { path, stats }, content }: Item, readAt: bigint): void {
    if (content !== undefined) this.#known.remember(path, stats, content, readAt);
  }
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Paths and states hold no NUL, except in digests, whose length is known: nothing can be read in two ways. */
function summary(items: readonly Item[], parents: readonly string[]): ContextDigest {
  const seen = new TextHash();
  const touched = new TextHash();
  const links = new Map<string, string>();
  const paths: string[] = [];
  const states: string[] = [];
  for (const item of items) {
    const { path, stats } = item.found;
    const state = stateOf(item, links);
    paths.push(path);
    states.push(state);
    seen.add(`${state}\0${path}\0`);
    touched.add(`${String(stats.ctimeNs)} ${String(stats.ino)}\0`);
  }
  for (const parent of parents) seen.add(parent);
  const digest = seen.digest();
  touched.add(digest);
  return { digest, stamp: touched.digest(), files: FileStates.of(paths, states) };
}

/** Many short texts in one SHA-256: each call of the hash costs more than they do. */
class TextHash {
  readonly #hash = createHash('sha256');
  #text = '';

  /** @param text latin1 */
  add(text: string): void {
    this.#text += text;
    if (this.#text.length > TEXT_AT_ONCE) this.#flush();
  }

  digest(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#text, 'latin1');
    this.#text = '';
  }
}

/**
 * Type, permissions, and what else the type has; the digest of a file comes last.
 * @param links first names of files that have several, by inode
 */
function stateOf({ found, content = '' }: Item, links: Map<string, string>): string {
  const { path, type, stats, target = '' } = found;
  const mode = (Number(stats.mode) & PERMISSIONS).toString(8);
  switch (type) {
    case 'file': {
      const first = stats.nlink > 1n ? firstName(found, links) : path;
      return first === path ? `file ${mode} ${String(stats.size)} ${content}` : `hardlink ${mode} ${first}`;
    }
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

function firstName({ path, stats }: Scanned, links: Map<string, string>): string {
  const inode = `${String(stats.dev)}:${String(stats.ino)}`;
  const first = links.get(inode) ?? path;
  links.set(inode, first);
  return first;
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

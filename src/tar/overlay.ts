/** Lays artifacts over a context folder: one ordered tree, in which artifacts win. */
import type { Readable } from 'node:stream';
import type { Artifact } from './artifact.js';
import type { BuildContext, ContextEntry } from './context.js';
import { ContextError } from './errors.js';
import type { IgnoreMatcher } from './ignore.js';
import { LinkNames } from './links.js';
import type { ListedFolder } from './listed.js';
import { LocalFile, openLocal } from './local-file.js';
import { collectArtifacts, type Overlaid } from './overlay-artifacts.js';
import { comparePaths, shown } from './paths.js';
import { folderAt, walk, type WalkedEntry } from './walk.js';

export interface ContextOptions {
  /** The context folder, absolute. */
  readonly directory: string;
  /** What to leave out of the folder; artifacts are never left out, since they were asked for by name. */
  readonly ignore?: IgnoreMatcher;
  /** The folder as it is by now: then it is not listed again. */
  readonly listed?: ListedFolder;
  /** Absolute; the paths of artifacts are relative to it. */
  readonly workDirectory: string;
  /** Later ones win over earlier ones. */
  readonly artifacts: readonly Artifact[];
}

/** The classic builder is sent a changed one (pack.ts): no other name may share its content. */
export const DOCKERIGNORE = '.dockerignore';

export interface FolderContext extends BuildContext {
  /** Whether entries were given of what the folder held later than when the list was made that was known of it. */
  readonly isListedAnew: boolean;
}

/**
 * Memory grows with the number of artifact entries. The artifacts must outlive the context.
 * @throws ContextError when artifacts contradict each other; `entries` throws it when they contradict the folder
 */
export function createContext(options: ContextOptions): FolderContext {
  return new OverlaidContext(options, collectArtifacts(options));
}

class OverlaidContext implements FolderContext {
  isListedAnew = false;
  readonly #options: ContextOptions;
  readonly #overlaid: ReadonlyMap<string, Overlaid>;
  #listed: ListedFolder | undefined;

  constructor(options: ContextOptions, overlaid: ReadonlyMap<string, Overlaid>) {
    this.#options = options;
    this.#listed = options.listed;
    this.#overlaid = overlaid;
  }

  entries(signal: AbortSignal): AsyncIterable<ContextEntry> | Iterable<ContextEntry> {
    const listed = this.#listed;
    // Whoever asks again does so later.
    this.#listed = undefined;
    if (listed === undefined) {
      this.isListedAnew = true;
      return this.#walked(signal);
    }
    const plain = this.#overlaid.size === 0 ? listed.asList() : undefined;
    return plain ?? this.#known(listed);
  }

  open(entry: ContextEntry, signal: AbortSignal): Readable {
    const over = this.#overlaid.get(entry.path);
    if (over?.type === 'artifact') return over.artifact.open(over.content, signal);
    return openLocal(this.#options.directory, entry, signal);
  }

  openFile(entry: ContextEntry): LocalFile | undefined {
    if (this.#overlaid.get(entry.path)?.type === 'artifact') return undefined;
    return new LocalFile(this.#options.directory, entry);
  }

  async *#walked(signal: AbortSignal): AsyncGenerator<ContextEntry> {
    const merge = this.#merge();
    for await (const local of walk(this.#options.directory, this.#options.ignore, signal)) {
      yield* merge.upTo(local);
    }
    yield* merge.rest();
  }

  *#known(listed: ListedFolder): Generator<ContextEntry> {
    const merge = this.#merge();
    for (const local of listed.entries()) yield* merge.upTo(local);
    yield* merge.rest();
  }

  #merge(): Merge {
    return new Merge(this.#overlaid.values(), (over) => this.#place(over));
  }

  /** A parent that only artifacts need looks like the folder there, even if that one is ignored. */
  #place(over: Overlaid): WalkedEntry {
    return over.type === 'artifact' ? over : (this.#localFolder(over.entry.path) ?? over);
  }

  #localFolder(path: string): WalkedEntry | undefined {
    for (let slash = path.indexOf('/'); ; slash = path.indexOf('/', slash + 1)) {
      const found = folderAt(this.#options.directory, slash === -1 ? path : path.slice(0, slash));
      if (found === undefined || slash === -1) return found;
    }
  }
}

/** Two sources in the same order: artifacts, and what is told of the folder. */
class Merge {
  readonly #overlaid: readonly Overlaid[];
  readonly #place: (over: Overlaid) => WalkedEntry;
  readonly #links = new LinkNames<string>();
  #next = 0;

  /** @param place makes an entry of what the folder does not have */
  constructor(overlaid: Iterable<Overlaid>, place: (over: Overlaid) => WalkedEntry) {
    this.#overlaid = [...overlaid].sort((a, b) => comparePaths(a.entry.path, b.entry.path));
    this.#place = place;
  }

  /** What comes before an entry of the folder, and it or what takes its place. */
  *upTo(local: WalkedEntry): Generator<ContextEntry> {
    let over = this.#overlaid[this.#next];
    while (over && comparePaths(over.entry.path, local.entry.path) < 0) {
      yield this.#named(this.#place(over));
      over = this.#overlaid[++this.#next];
    }
    if (over?.entry.path === local.entry.path) {
      refuseClash(over, local.entry);
      this.#next += 1;
      yield this.#named(over.type === 'parent' ? local : over);
    } else {
      yield this.#named(local);
    }
  }

  *rest(): Generator<ContextEntry> {
    for (const over of this.#overlaid.slice(this.#next)) yield this.#named(this.#place(over));
  }

  #named({ entry, inode }: WalkedEntry): ContextEntry {
    return inode === undefined || entry.path === DOCKERIGNORE ? entry : this.#links.name(entry, inode);
  }
}

function refuseClash(over: Overlaid, local: ContextEntry): void {
  if ((over.entry.type === 'directory') === (local.type === 'directory')) return;
  const name = shown(local.path);
  const [theirs, ours] =
    local.type === 'directory'
      ? ['a file', 'a folder']
      : ['a folder', local.type === 'symlink' ? 'a symlink' : 'a file'];
  throw new ContextError(
    `The artifact ${over.source} brings ${name} of the context as ${theirs}, but it is ${ours} there`,
    { hint: `Give the artifact another destination, or rename or ignore (.dockerignore) ${name}.` },
  );
}

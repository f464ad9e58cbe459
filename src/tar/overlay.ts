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

/**
 * Memory grows with the number of artifact entries. The artifacts must outlive the context.
 * @throws ContextError when artifacts contradict each other; `entries` throws it when they contradict the folder
 */
export function createContext(options: ContextOptions): BuildContext {
  return new OverlaidContext(options, collectArtifacts(options));
}

class OverlaidContext implements BuildContext {
  readonly #options: ContextOptions;
  readonly #overlaid: ReadonlyMap<string, Overlaid>;
  #listed: ListedFolder | undefined;

  constructor(options: ContextOptions, overlaid: ReadonlyMap<string, Overlaid>) {
    this.#options = options;
    this.#listed = options.listed;
    this.#overlaid = overlaid;
  }

  async *entries(signal: AbortSignal): AsyncGenerator<ContextEntry> {
    const links = new LinkNames<string>();
    for await (const { entry, inode } of this.#merge(signal)) {
      yield inode === undefined || entry.path === DOCKERIGNORE ? entry : links.name(entry, inode);
    }
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

  /** Both sources are in the same order: walk them together. */
  async *#merge(signal: AbortSignal): AsyncGenerator<WalkedEntry> {
    const sorted = [...this.#overlaid.values()].sort((a, b) => comparePaths(a.entry.path, b.entry.path));
    let next = 0;
    const listed = this.#listed;
    // Whoever asks again does so later.
    this.#listed = undefined;
    for await (const local of listed?.entries() ??
      walk(this.#options.directory, this.#options.ignore, signal)) {
      let over = sorted[next];
      while (over && comparePaths(over.entry.path, local.entry.path) < 0) {
        yield this.#place(over);
        next += 1;
        over = sorted[next];
      }
      if (over?.entry.path === local.entry.path) {
        refuseClash(over, local.entry);
        yield over.type === 'parent' ? local : over;
        next += 1;
      } else {
        yield local;
      }
    }
    for (const over of sorted.slice(next)) yield this.#place(over);
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

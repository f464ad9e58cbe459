/** Merges artifacts into one set of entries as seen from a context folder, with the parents they need. */
import { relative } from 'node:path';
import type { Artifact } from './artifact.js';
import type { ContextEntry } from './context.js';
import { ContextError } from './errors.js';
import { parentOf, shown, toLatin1 } from './paths.js';
import type { WalkedEntry } from './walk.js';

/** One path that artifacts bring. `source` names the artifact in messages. */
export type Overlaid =
  | (WalkedEntry & {
      readonly type: 'artifact';
      readonly source: string;
      readonly artifact: Artifact;
      /** The artifact's own entry that holds the content. */
      readonly content: ContextEntry;
    })
  /** A folder that no artifact holds, above one that does. */
  | (WalkedEntry & { readonly type: 'parent'; readonly source: string });

export interface Placement {
  /** The context folder, absolute. */
  readonly directory: string;
  /** Absolute. */
  readonly workDirectory: string;
  /** Later ones win. */
  readonly artifacts: readonly Artifact[];
}

/**
 * @returns by path in the context; what lies outside the context folder is left out
 * @throws ContextError where one artifact has a folder and another one something else
 */
export function collectArtifacts({ directory, workDirectory, artifacts }: Placement): Map<string, Overlaid> {
  const found = new Map<string, Overlaid>();
  const rebase = rebaser(workDirectory, directory);
  for (const [number, artifact] of artifacts.entries()) {
    const source = describe(artifact);
    const byPath = new Map(artifact.entries.map((entry) => [entry.path, entry]));
    const linked = new Set(
      artifact.entries.map(({ linkname, type }) => (type === 'hardlink' ? linkname : undefined)),
    );
    for (const own of artifact.entries) {
      const path = rebase(own.path);
      if (path === undefined) continue;
      const content = own.type === 'hardlink' ? byPath.get(own.linkname ?? '') : own;
      if (!content) throw new TypeError(`${shown(own.path)} links to nothing`);
      addParents(found, path, source);
      add(found, {
        type: 'artifact',
        source,
        artifact,
        content,
        entry: { ...content, path },
        ...(linked.has(content.path) && { inode: `artifact ${number}: ${content.path}` }),
      });
    }
  }
  return found;
}

function add(found: Map<string, Overlaid>, over: Overlaid): void {
  const { path, type } = over.entry;
  const earlier = found.get(path);
  if (earlier && (earlier.entry.type === 'directory') !== (type === 'directory')) {
    const [mine, theirs] = type === 'directory' ? ['a folder', 'a file'] : ['a file', 'a folder'];
    throw new ContextError(
      `The artifact ${over.source} brings ${shown(path)} of the context as ${mine}, the artifact ${earlier.source} as ${theirs}`,
      { hint: 'Give one of the two another destination.' },
    );
  }
  if (!earlier || over.type === 'artifact') found.set(path, over);
}

function addParents(found: Map<string, Overlaid>, path: string, source: string): void {
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) {
    const known = found.get(parent)?.entry.type === 'directory';
    if (known) return;
    const entry: ContextEntry = {
      path: parent,
      type: 'directory',
      mode: 0o755,
      uid: 0,
      gid: 0,
      size: 0,
      mtimeNs: 0n,
    };
    add(found, { type: 'parent', source, entry });
  }
}

/** From paths below `from` to paths below `to`; `undefined` for what is not below it. */
function rebaser(from: string, to: string): (path: string) => string | undefined {
  const toContext = toLatin1(relative(from, to).replaceAll('\\', '/'));
  if (toContext === '') return (path) => path;
  if (/^(\.\.)(\/\.\.)*$/.test(toContext)) {
    const prefix = toLatin1(relative(to, from).replaceAll('\\', '/'));
    return (path) => `${prefix}/${path}`;
  }
  if (toContext.startsWith('../')) return () => undefined;
  return (path) => (path.startsWith(`${toContext}/`) ? path.slice(toContext.length + 1) : undefined);
}

function describe({ source }: Artifact): string {
  const destination = source.destination === '' ? '' : `:${source.destination}`;
  return shown(toLatin1(source.source + destination));
}

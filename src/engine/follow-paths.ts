/** Which entries of a context a build asks for: BuildKit names the sources of COPY and ADD, and sending more is only slow. */
import type { ContextEntry } from '../tar/context.js';
import type { EntryList } from '../tar/entry-list.js';
import { placeOf } from '../tar/paths.js';

/** Paths through symlinks; whoever has more sends the whole context. */
const MOST_FOLLOWED = 1000;

/**
 * Keep the entries that the paths name, their folders, and what symlinks on the way lead to. May keep more: a pattern that is
 * not a plain one with `*` and `?` matches every name.
 * @param entries in fsutil's order
 * @param paths relative to the context, with wildcards, latin1 like entry paths; empty means everything
 * @returns their places, in order
 */
export function followPaths(entries: EntryList, paths: readonly string[]): readonly number[] {
  if (paths.length === 0) return [...entries.paths.keys()];
  const tree = new Tree(entries);
  const pending = paths.map(partsOf);
  const seen = new Set<string>();
  // Links can lead to ever longer paths: `a -> a/b`, or worse with wildcards in their names.
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.size > MOST_FOLLOWED) return [...entries.paths.keys()];
    pursue(tree, tree.root, next, (path) => {
      if (seen.has(path)) return;
      seen.add(path);
      pending.push(partsOf(path));
    });
  }
  return tree.wanted();
}

/** @param follow called with the path that a symlink leads to, relative to the context */
function pursue(tree: Tree, from: Subtree, parts: readonly string[], follow: (path: string) => void): void {
  const [part, ...rest] = parts;
  if (part === undefined || part.includes('**')) {
    tree.want(from);
    return;
  }
  for (const found of matching(tree, from, part)) {
    const entry = tree.at(found);
    if (entry.type === 'symlink') {
      tree.want(found);
      follow([leadsTo(entry), ...rest].join('/'));
    } else pursue(tree, found, rest, follow);
  }
}

function matching(tree: Tree, folder: Subtree, part: string): Iterable<Subtree> {
  if (!/[*?[\\]/.test(part)) return tree.child(folder, part);
  const all = /[[\\]/.test(part);
  return tree.children(folder, (name) => all || wildcardMatches(part, name));
}

/** An entry, or the context itself, and all that lies below it: places in the list from `start` to before `end`. */
interface Subtree {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** In the order of a context, whatever a folder holds comes right after it: it is found by halving. */
class Tree {
  readonly #entries: EntryList;
  readonly #paths: readonly string[];
  /** By place: 1 is wanted. */
  readonly #wanted: Uint8Array;

  constructor(entries: EntryList) {
    this.#entries = entries;
    this.#paths = entries.paths;
    this.#wanted = new Uint8Array(this.#paths.length);
  }

  get root(): Subtree {
    return { path: '', start: 0, end: this.#paths.length };
  }

  at({ start }: Subtree): ContextEntry {
    return this.#entries.at(start);
  }

  /** One, or none. */
  child(folder: Subtree, name: string): readonly Subtree[] {
    const path = folder.path === '' ? name : `${folder.path}/${name}`;
    const start = placeOf(this.#paths, path, folder.start, folder.end);
    const child = this.#subtree(path, start, folder.end);
    return child.start < child.end ? [child] : [];
  }

  *children(folder: Subtree, matches: (name: string) => boolean): Iterable<Subtree> {
    const prefix = folder.path === '' ? '' : `${folder.path}/`;
    let place = folder.path === '' ? 0 : folder.start + 1;
    while (place < folder.end) {
      const path = this.#paths[place] ?? '';
      const slash = path.indexOf('/', prefix.length);
      const child = this.#subtree(slash === -1 ? path : path.slice(0, slash), place, folder.end);
      if (matches(child.path.slice(prefix.length))) yield child;
      place = child.end;
    }
  }

  /** All of it, and the folders that it is in. */
  want({ path, start, end }: Subtree): void {
    this.#wanted.fill(1, start, end);
    let folder = this.root;
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const at = path.slice(0, slash);
      folder = this.#subtree(at, placeOf(this.#paths, at, folder.start, start), folder.end);
      this.#wanted[folder.start] = 1;
    }
  }

  wanted(): readonly number[] {
    return [...this.#paths.keys()].filter((place) => this.#wanted[place] === 1);
  }

  #subtree(path: string, start: number, end: number): Subtree {
    // No name has a NUL: this comes after all that is below the path, and before what comes next.
    return { path, start, end: placeOf(this.#paths, `${path}\0`, start, end) };
  }
}

/** `*` and `?`, which stands for any number of bytes, for it may be one character of several. Never looks back beyond the last of them. */
function wildcardMatches(pattern: string, name: string): boolean {
  const [first = '', ...others] = pattern.split(/[*?]+/);
  const last = others.pop() ?? '';
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const literal of others) {
    at = name.indexOf(literal, at);
    if (at === -1) return false;
    at += literal.length;
  }
  return at <= name.length - last.length;
}

function leadsTo(link: ContextEntry): string {
  const target = link.linkname ?? '';
  if (target.startsWith('/')) return target;
  return `${link.path.slice(0, link.path.lastIndexOf('/') + 1)}${target}`;
}

/** The parts of a path, `.` and `..` resolved within the context. */
function partsOf(path: string): readonly string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

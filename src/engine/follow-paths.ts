/** Which entries of a context a build asks for: BuildKit names the sources of COPY and ADD, and sending more is only slow. */
import type { ContextEntry } from '../tar/context.js';

interface Node {
  readonly name: string;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
  entry: ContextEntry | undefined;
  /** `whole`: with all that lies in it. */
  wanted: 'no' | 'itself' | 'whole';
}

/** Paths through symlinks; whoever has more sends the whole context. */
const MOST_FOLLOWED = 1000;

/**
 * Keep the entries that the paths name, their folders, and what symlinks on the way lead to. May keep more: a pattern that is
 * not a plain one with `*` and `?` matches every name.
 * @param paths relative to the context, with wildcards, latin1 like entry paths; empty means everything
 */
export function followPaths(
  entries: readonly ContextEntry[],
  paths: readonly string[],
): readonly ContextEntry[] {
  if (paths.length === 0) return entries;
  const root = treeOf(entries);
  const pending = paths.map((path) => ({ from: root, parts: partsOf(path) }));
  const seen = new Set<string>();
  // Links can lead to ever longer paths: `a -> a/b`, or worse with wildcards in their names.
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.size > MOST_FOLLOWED) return entries;
    pursue(root, next.from, next.parts, (path) => {
      if (seen.has(path)) return;
      seen.add(path);
      pending.push({ from: root, parts: partsOf(path) });
    });
  }
  return entries.filter(({ path }) => isWanted(root, path));
}

/** @param follow called with the path that a symlink leads to, relative to the context */
function pursue(root: Node, from: Node, parts: readonly string[], follow: (path: string) => void): void {
  const [part, ...rest] = parts;
  if (part === undefined || part.includes('**')) {
    from.wanted = 'whole';
    markParents(from);
    return;
  }
  for (const node of matching(from, part)) {
    if (node.entry?.type === 'symlink') {
      node.wanted = 'whole';
      markParents(node);
      follow([leadsTo(node.entry), ...rest].join('/'));
    } else pursue(root, node, rest, follow);
  }
}

function matching(folder: Node, part: string): readonly Node[] {
  if (!/[*?[\\]/.test(part)) {
    const child = folder.children.get(part);
    return child === undefined ? [] : [child];
  }
  const children = [...folder.children.values()];
  if (/[[\\]/.test(part)) return children;
  return children.filter(({ name }) => wildcardMatches(part, name));
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

function treeOf(entries: readonly ContextEntry[]): Node {
  const root = nodeOf('', undefined);
  for (const entry of entries) {
    let node = root;
    for (const name of entry.path.split('/')) {
      const child = node.children.get(name) ?? nodeOf(name, node);
      node.children.set(name, child);
      node = child;
    }
    node.entry = entry;
  }
  return root;
}

function nodeOf(name: string, parent: Node | undefined): Node {
  return { name, parent, children: new Map(), entry: undefined, wanted: 'no' };
}

function markParents(node: Node): void {
  for (let { parent } = node; parent?.wanted === 'no'; { parent } = parent) parent.wanted = 'itself';
}

function isWanted(root: Node, path: string): boolean {
  let node: Node | undefined = root;
  for (const name of path.split('/')) {
    if (node.wanted === 'whole') return true;
    node = node.children.get(name);
    if (node === undefined) return false;
  }
  return node.wanted !== 'no';
}

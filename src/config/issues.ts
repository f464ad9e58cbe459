/** What the schema says against a tree of the build file, as diagnostics at the right places and in our voice. */
import type { z } from 'zod';
import type { Problems } from './diagnostic.js';
import { knownKeys } from './schema.js';
import { SECRET_FORMS } from './secret-schema.js';
import type { Range, SourceText } from './source.js';
import { didYouMean, nearest } from './suggest.js';
import type { ConfigNode } from './tree.js';

export type Path = readonly (string | number)[];

/** What a check needs to report: the file, its tree (steps by label) and where problems go. */
export interface Checked {
  readonly source: SourceText;
  readonly root: ConfigNode;
  readonly problems: Problems;
}

/** Plain data for zod. Mappings have no prototype, so that no key of the user means anything to the language. */
export function toPlain(node: ConfigNode): unknown {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'empty':
      return null;
    case 'list':
      return node.items.map(toPlain);
    case 'map': {
      const object = Object.create(null) as Record<string, unknown>;
      for (const [key, entry] of node.entries) object[key] = toPlain(entry.value);
      return object;
    }
  }
}

/** Report issues whose paths begin at `base` in the tree. */
export function reportIssues(checked: Checked, base: Path, issues: readonly z.core.$ZodIssue[]): void {
  for (const issue of issues) {
    const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
    if (nodeAt(checked.root, path) === undefined && isMisspelt(base, issue, issues)) continue;
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) reportUnknownKey(checked, path, key);
      continue;
    }
    const meant = issue.code === 'invalid_union' ? fittingBranch(issue) : undefined;
    if (meant !== undefined) {
      reportIssues(checked, path, meant);
      continue;
    }
    const { message, hint } = explain(checked.root, path, issue);
    checked.problems.add(checked.source.error(message, rangeOf(checked.root, path), hint));
  }
}

/** What is wrong with a value by the form that it was written in, where it is one of the possible ones. */
function fittingBranch({ errors }: z.core.$ZodIssueInvalidUnion): readonly z.core.$ZodIssue[] | undefined {
  return errors.find((issues) =>
    issues.every(({ code, path }) => path.length > 0 || code !== 'invalid_type'),
  );
}

/** A key that is missing because it is misspelt is told once, as the unknown key that it is. */
function isMisspelt(base: Path, missing: z.core.$ZodIssue, issues: readonly z.core.$ZodIssue[]): boolean {
  const parent = missing.path.slice(0, -1);
  return issues.some(
    (issue) =>
      issue.code === 'unrecognized_keys' &&
      issue.path.length === parent.length &&
      issue.path.every((part, index) => part === parent[index]) &&
      issue.keys.some(
        (key) => nearest(key, knownKeys([...base, ...issue.path].map(String))) === missing.path.at(-1),
      ),
  );
}

function reportUnknownKey({ source, root, problems }: Checked, path: Path, key: string): void {
  const known = knownKeys(path);
  const hint = didYouMean(key, known, `known here: ${known.join(', ')}`);
  const place = path.length === 0 ? 'at the top of the file' : `in ${describe(path)}`;
  problems.add(source.error(`unknown key "${key}" ${place}`, keyRange(root, [...path, key]), hint));
}

interface Explanation {
  readonly message: string;
  readonly hint?: string;
}

function explain(root: ConfigNode, path: Path, issue: z.core.$ZodIssue): Explanation {
  const what = describe(path);
  const node = nodeAt(root, path);
  const key = String(path.at(-1) ?? '');
  if (node === undefined) {
    const hint = ADVICE.get(key);
    return { message: `${describe(path.slice(0, -1))} has no "${key}"`, ...(hint !== undefined && { hint }) };
  }
  switch (issue.code) {
    case 'invalid_type':
    case 'invalid_union': {
      const wanted = wantedType(issue, key);
      if (node.kind === 'empty')
        return { message: `${what} is empty`, hint: ADVICE.get(key) ?? `write ${wanted}` };
      const hint = path.length === 0 ? ADVICE.get('build') : adviceOn(path);
      const message = `${what} must be ${wanted}, not ${TYPES[node.kind] ?? node.kind}`;
      return { message, ...(hint !== undefined && { hint }) };
    }
    case 'invalid_value': {
      const values = issue.values.map(String);
      const all = `write one of ${values.join(', ')}`;
      if (node.kind !== 'text')
        return { message: `${what} must be a text, not ${TYPES[node.kind] ?? node.kind}`, hint: all };
      const of = path.length > 2 ? ` of ${describe(path.slice(0, -1))}` : '';
      return { message: `unknown ${key} "${node.text}"${of}`, hint: didYouMean(node.text, values) ?? all };
    }
    case 'custom': {
      const hint: unknown = issue.params?.['hint'];
      return { message: `${what} ${issue.message}`, ...(typeof hint === 'string' && { hint }) };
    }
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_key':
    case 'not_multiple_of':
    case 'too_big':
    case 'too_small':
    case 'unrecognized_keys':
      return { message: `${what} is not valid: ${issue.message}` };
  }
}

/** A secret is named after what it is for; a text beside it is most often the variable that holds it. */
function adviceOn(path: Path): string | undefined {
  const [, of, , key, inner] = path;
  if (of === 'steps' && path.length === 4 && key === 'args')
    return 'write each on a line of its own: "KEY: value"';
  if (of === 'steps' && path.length === 4 && key === 'cleanup')
    return 'write "commands:" below it, and a list of commands';
  if (of === 'steps' && path.length === 5 && inner === 'commands')
    return 'write each on a line of its own: "- COMMAND"';
  return path.at(-2) === 'secrets' && typeof path.at(-1) === 'string' ? SECRET_FORMS : undefined;
}

function wantedType(issue: z.core.$ZodIssueInvalidType | z.core.$ZodIssueInvalidUnion, key: string): string {
  if (key === 'squash') return 'true, false or a mapping with "from"';
  if (issue.code === 'invalid_union') return 'a text or a list of texts';
  if (key === 'no_cache' || key === 'keep' || key === 'command_cache') return 'true or false';
  return TYPES[issue.expected] ?? issue.expected;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  text: 'a text',
  array: 'a list',
  list: 'a list',
  object: 'a mapping',
  map: 'a mapping',
  empty: 'nothing',
};

const ADVICE: ReadonlyMap<string, string> = new Map([
  ['name', 'add the name of the image that the step builds, e.g. "name: app"'],
  ['version', 'add "version: 2016-03-14" below "build:"'],
  ['build', 'a build file begins with "build:", and has "version" and "steps" in it'],
  ['', 'a build file begins with "build:", and has "version" and "steps" in it'],
  ['from', 'write "{ from: base }" or "{ from: scratch }"'],
  ['steps', 'add "steps:" with a label for each step'],
]);

/** How messages call the value at a path, e.g. `item 2 of "artifacts" of step "builder"`. */
export function describe(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return 'the file';
  if (path.length === 3 && path[1] === 'steps') return `step "${last}"`;
  const own = typeof last === 'number' ? `item ${String(last + 1)}` : `"${last}"`;
  return path.length <= 2 ? own : `${own} of ${describe(path.slice(0, -1))}`;
}

/** A text counts as a list of itself. */
export function nodeAt(root: ConfigNode, path: Path): ConfigNode | undefined {
  let node: ConfigNode | undefined = root;
  for (const part of path) {
    if (node?.kind === 'map') node = node.entries.get(String(part))?.value;
    // A lone text stands for a list of it.
    else if (node?.kind === 'list') node = node.items[Number(part)];
    else if (node?.kind !== 'text' || part !== 0) return undefined;
  }
  return node;
}

/** Where to point for the value at a path: at a text itself, at the key of all else, at the parent when it is absent. */
export function rangeOf(root: ConfigNode, path: Path): Range {
  const node = nodeAt(root, path);
  if (node?.kind === 'text') return node.range;
  return keyRange(root, path);
}

/** The key by which the value at a path stands, or that of the nearest parent which has one. */
export function keyRange(root: ConfigNode, path: Path): Range {
  const last = path.at(-1);
  if (last === undefined) return [root.range[0], root.range[0] + 1];
  const parent = nodeAt(root, path.slice(0, -1));
  if (parent?.kind === 'map') {
    const entry = parent.entries.get(String(last));
    if (entry !== undefined) return entry.key;
  }
  if (parent?.kind === 'list') {
    const item = parent.items[Number(last)];
    if (item !== undefined && item.range[1] > item.range[0]) return item.range;
  }
  return keyRange(root, path.slice(0, -1));
}

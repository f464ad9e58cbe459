/** The build file as a tree of texts, lists and mappings that know their places; `_env()` replaced, aliases followed. */
import { isAlias, isMap, isScalar, isSeq, type ParsedNode, type Pair, type Scalar } from 'yaml';
import type { Problems } from './diagnostic.js';
import { calls, interpolate, type Environment } from './interpolate.js';
import type { Range, SourceText } from './source.js';
import { didYouMean } from './suggest.js';
import { MAX_DEPTH } from './tokens.js';

export type ConfigNode =
  /** A scalar as its source text: `1.10` and `yes` stay what they are. */
  | { readonly kind: 'text'; readonly text: string; readonly range: Range }
  /** Nothing, `~` or `null`. */
  | { readonly kind: 'empty'; readonly range: Range }
  | { readonly kind: 'list'; readonly items: readonly ConfigNode[]; readonly range: Range }
  | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Entry>; readonly range: Range };

export interface Entry {
  readonly key: Range;
  readonly value: ConfigNode;
}

export interface TreeOptions {
  readonly source: SourceText;
  readonly environment: Environment;
  readonly allowUnsetEnv: boolean;
  readonly problems: Problems;
}

/** Nodes that aliases may add: far above any real file, far below what would hurt. */
const MAX_ALIASED_NODES = 100_000;
/** Characters of all values, those repeated by aliases and put in for `_env()` included. A file alone has 4 Mi at most. */
const MAX_TEXT = 16 * 1024 * 1024;
const MOST_HINTS = 50;
const STANDARD_PREFIX = 'tag:yaml.org,2002:';
const STANDARD_TAG = /^tag:yaml\.org,2002:(?:str|int|float|bool|null|timestamp|seq|map)$/;
const NULL = /^(?:~|null|Null|NULL)?$/;

export interface Tree {
  readonly root: ConfigNode;
  /** Of the environment: those that anything in it depends on. */
  readonly variables: ReadonlySet<string>;
}

/** Problems go to `options.problems`; what has one is left out or stands as `empty`, so that the rest can be checked. */
export function buildTree(root: ParsedNode | null, options: TreeOptions): Tree {
  if (root === null) return { root: { kind: 'empty', range: [0, 0] }, variables: new Set() };
  const builder = new TreeBuilder(options);
  return { root: builder.node(root, 0), variables: builder.variables };
}

class TreeBuilder {
  readonly variables = new Set<string>();
  readonly #options: TreeOptions;
  readonly #anchors = new Map<string, ParsedNode>();
  #aliasedNodes = 0;
  #insideAlias = false;
  #characters = 0;
  #unknownAliases = 0;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  node(node: ParsedNode, depth: number): ConfigNode {
    const range: Range = [node.range[0], node.range[1]];
    if (this.#insideAlias && ++this.#aliasedNodes > MAX_ALIASED_NODES) {
      if (this.#aliasedNodes === MAX_ALIASED_NODES + 1) {
        this.#problem(`aliases repeat more than ${String(MAX_ALIASED_NODES)} values`, range);
      }
      return { kind: 'empty', range };
    }
    if (isAlias(node)) return this.#alias(node.source, range, depth);
    if (node.anchor !== undefined && !this.#insideAlias) this.#anchors.set(node.anchor, node);
    if (node.tag !== undefined && !STANDARD_TAG.test(node.tag)) {
      this.#problem(
        `the tag ${node.tag.replace(STANDARD_PREFIX, '!!')} has no meaning here`,
        range,
        'remove the tag',
      );
    }
    if (isMap(node)) return { kind: 'map', entries: this.#entries(node.items, depth), range };
    if (isSeq(node))
      return { kind: 'list', items: node.items.map((item) => this.node(item, depth + 1)), range };
    const plain = node.type === 'PLAIN' && node.tag !== 'tag:yaml.org,2002:str';
    if (plain && NULL.test(node.source)) return { kind: 'empty', range };
    return { kind: 'text', text: this.#text(node, range), range };
  }

  #alias(name: string, range: Range, depth: number): ConfigNode {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      // Looking for a likely one takes long where there are many of both.
      const known = ++this.#unknownAliases > MOST_HINTS ? [] : this.#anchors.keys();
      const hint = didYouMean(name, known, 'put a text that begins with "*" in quotes');
      this.#problem(`no anchor "&${name}" comes before "*${name}"`, range, hint);
      return { kind: 'empty', range };
    }
    if (depth > MAX_DEPTH) {
      this.#problem(`the alias "*${name}" contains itself`, range);
      return { kind: 'empty', range };
    }
    const outer = this.#insideAlias;
    this.#insideAlias = true;
    const value = this.node(target, depth + 1);
    this.#insideAlias = outer;
    return value;
  }

  #entries(pairs: readonly Pair<ParsedNode, ParsedNode | null>[], depth: number): ReadonlyMap<string, Entry> {
    const entries = new Map<string, Entry>();
    const merged: Entry[] = [];
    for (const { key: keyNode, value: valueNode } of pairs) {
      const key: Range = [keyNode.range[0], Math.max(keyNode.range[1], keyNode.range[0] + 1)];
      const value = valueNode === null ? empty(key) : this.node(valueNode, depth + 1);
      const name = this.#key(keyNode, key, depth);
      if (name === undefined) continue;
      if (name === '<<' && isScalar(keyNode) && keyNode.type === 'PLAIN') {
        merged.push({ key, value });
        continue;
      }
      const first = entries.get(name);
      if (first === undefined) {
        entries.set(name, { key, value });
        continue;
      }
      const line = String(this.#options.source.place(first.key).line);
      this.#problem(`the key "${name}" occurs twice`, key, `it is in line ${line} already`);
    }
    for (const entry of merged) this.#merge(entry, entries);
    return entries;
  }

  /** `<<: *base`, as YAML 1.1 had it and build files of old may use it: own keys win, then the earlier mapping. */
  #merge({ key, value }: Entry, into: Map<string, Entry>): void {
    for (const base of value.kind === 'list' ? value.items : [value]) {
      if (base.kind !== 'map') {
        this.#problem('"<<" takes a mapping, or a list of mappings', key, 'write "<<: *anchor"');
        continue;
      }
      for (const [name, entry] of base.entries) {
        if (!into.has(name)) into.set(name, entry);
      }
    }
  }

  #key(node: ParsedNode, range: Range, depth: number): string | undefined {
    const key = this.node(node, depth + 1);
    switch (key.kind) {
      case 'text':
        return key.text;
      case 'empty':
        // An alias without anchor has been told already.
        if (!isAlias(node))
          this.#problem('a key is empty', range, 'put a key that is called "null" or "~" in quotes');
        return undefined;
      case 'list':
      case 'map':
        this.#problem('a key must be a text', range, 'put texts with braces or brackets in quotes');
        return undefined;
    }
  }

  #text(node: Scalar.Parsed, range: Range): string {
    if (this.#characters > MAX_TEXT) return '';
    const { environment, allowUnsetEnv, source } = this.#options;
    const { text, variables, failures } = interpolate(node.source, environment, allowUnsetEnv, MAX_TEXT);
    for (const name of variables) this.variables.add(name);
    this.#characters += text.length;
    if (this.#characters > MAX_TEXT) {
      this.#problem(
        `aliases and _env() make more than ${String(MAX_TEXT / 1024 / 1024)} Mi characters of this file`,
        range,
        'repeat less',
      );
      return '';
    }
    if (failures.length > 0) {
      // Quotes, escapes and folding make offsets in the text differ from those in the file: count the calls there.
      const written = calls(source.text.slice(...range));
      for (const { index, message, hint } of failures) {
        const at = written[index];
        this.#problem(message, at === undefined ? range : [range[0] + at[0], range[0] + at[1]], hint);
      }
    }
    return text;
  }

  #problem(message: string, range: Range, hint?: string): void {
    this.#options.problems.add(this.#options.source.error(message, range, hint));
  }
}

function empty(range: Range): ConfigNode {
  return { kind: 'empty', range };
}

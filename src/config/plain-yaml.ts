/**
 * Reads what most build files consist of: block mappings and lists of short texts, plain or quoted, one a line, and lists and
 * mappings in brackets that end on their line. It knows no errors: what it does not know for certain is left to the parser.
 * Where both read a text, they read the same.
 */
import { MAX_DEPTH, type YamlNode, type YamlPair } from './yaml-node.js';

/** Above it another limit may count, which only the parser knows: on lexemes, of which a line has ten, in brackets more. */
const MOST_CHARACTERS_IN_BRACKETS = 100_000;
const MOST_LINES = 35_000;

/** Not a comment, not empty, without spaces at its end. Offsets count in the text. */
interface Line {
  readonly indent: number;
  /** Of the first character that is not a space. */
  readonly start: number;
  /** Behind the last one. */
  readonly end: number;
  /** Where the next line begins. */
  readonly next: number;
}

/** @returns the root; `undefined` where the text has more to it than is read here */
export function readPlainYaml(text: string): YamlNode | undefined {
  const lines = linesOf(text);
  if (lines === undefined || lines.length === 0) return undefined;
  const reader = new Reader(text, lines);
  try {
    return reader.root();
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

/** Not an error of anybody: made once, for it is thrown where speed matters. */
class NotPlain extends Error {}
const NOT_PLAIN = new NotPlain('not plain');

function linesOf(text: string): readonly Line[] | undefined {
  if (!PRINTABLE.test(text)) return undefined;
  const lines: Line[] = [];
  for (let at = 0; at < text.length;) {
    const feed = text.indexOf('\n', at);
    const stop = feed === -1 ? text.length : feed;
    const next = feed === -1 ? stop : feed + 1;
    let start = at;
    while (start < stop && text.charCodeAt(start) === SPACE) start++;
    if (start < stop && text.charCodeAt(start) !== HASH) {
      if (text.charCodeAt(stop - 1) === SPACE) return undefined;
      if (lines.length === MOST_LINES) return undefined;
      lines.push({ indent: start - at, start, end: stop, next });
    }
    at = next;
  }
  return lines;
}

/** No tabs, no carriage returns, nothing above ASCII: what they mean depends on where they stand. */
const PRINTABLE = /^[\n -~]*$/;
const SPACE = 0x20;
const HASH = 0x23;
const DASH = 0x2d;

const KEY = /\w[\w./-]{0,200}(?=:(?:[ \n]|$))/y;
/** What begins like this is a text whatever follows; other signs mean something at the beginning. */
const PLAIN_START = /[\w./$~(+=^;<\\]|-(?=[\w./$-])/y;
/** Up to a comment; what goes on with ": " would be another mapping. */
const PLAIN_VALUE = /(?:[^ :\n]|:(?![ \n]|$)| +(?=[^ #\n]))+/y;
const PLAIN_IN_BRACKETS = /[\w./$~(+=^;<\\](?:[\w./$~()+=^;<\\*@%-]|:(?=[\w./$])| +(?=[\w./$~(+=^;<\\]))*/y;
const SINGLE_QUOTED = /'[^'\n]*'/y;
const DOUBLE_QUOTED = /"[^"\\\n]*"/y;

class Reader {
  readonly #text: string;
  readonly #lines: readonly Line[];
  #next = 0;
  #inBrackets = 0;

  constructor(text: string, lines: readonly Line[]) {
    this.#text = text;
    this.#lines = lines;
  }

  root(): YamlNode {
    const first = this.#line();
    const node = this.#block(first, first.indent, 0);
    if (this.#next < this.#lines.length) throw NOT_PLAIN;
    return node;
  }

  /** A mapping or list whose keys or dashes stand in this column. */
  #block(line: Line, column: number, depth: number): YamlNode {
    if (depth > MAX_DEPTH / 4) throw NOT_PLAIN;
    return this.#isItem(line) ? this.#list(column, depth) : this.#map(line.start, column, depth);
  }

  /** @param at where the first key begins: behind the dash of an item, or at the beginning of the line */
  #map(at: number, column: number, depth: number): YamlNode {
    const items: YamlPair[] = [];
    let line = this.#line();
    let start = at;
    for (;;) {
      items.push(this.#pair(line, start, column, depth));
      const next = this.#lines[this.#next];
      if (next === undefined || next.indent < column) break;
      if (next.indent > column || this.#isItem(next)) throw NOT_PLAIN;
      line = next;
      start = next.start;
    }
    return { kind: 'map', items, range: [at, this.#endOfLast()] };
  }

  #pair(line: Line, start: number, column: number, depth: number): YamlPair {
    const name = this.#match(KEY, start, line.end);
    const key = plain(name, start);
    this.#next++;
    const value = this.#skipSpaces(start + name.length + 1, line.end);
    if (value < line.end && this.#text.charCodeAt(value) !== HASH) {
      return { key, value: this.#value(value, line, depth) };
    }
    const below = this.#lines[this.#next];
    // The items of a list may stand in the column of its key.
    const isBelow =
      below !== undefined && (below.indent > column || (below.indent === column && this.#isItem(below)));
    if (!isBelow) return { key, value: plain('', value) };
    return { key, value: this.#block(below, below.indent, depth + 1) };
  }

  #list(column: number, depth: number): YamlNode {
    const items: YamlNode[] = [];
    const { start } = this.#line();
    for (let line: Line | undefined = this.#line(); line !== undefined; line = this.#lines[this.#next]) {
      if (line.indent < column) break;
      if (line.indent > column) throw NOT_PLAIN;
      // A key in this column ends the list that stands in the column of its own key.
      if (!this.#isItem(line)) break;
      const at = this.#skipSpaces(line.start + 1, line.end);
      if (at === line.end || this.#text.charCodeAt(at) === HASH) throw NOT_PLAIN;
      KEY.lastIndex = at;
      if (KEY.test(this.#text)) {
        items.push(this.#map(at, at - line.start + column, depth + 1));
      } else {
        this.#next++;
        items.push(this.#value(at, line, depth));
      }
    }
    return { kind: 'seq', items, range: [start, this.#endOfLast()] };
  }

  /** What stands on the rest of a line. */
  #value(at: number, line: Line, depth: number): YamlNode {
    const first = this.#text[at];
    if (first === '[' || first === '{') {
      this.#inBrackets += line.end - at;
      if (this.#inBrackets > MOST_CHARACTERS_IN_BRACKETS) throw NOT_PLAIN;
      const node = this.#brackets(at, line.end, depth);
      this.#onlyComment(node.range[1], line.end);
      return node;
    }
    const node = this.#quoted(at, line.end) ?? this.#plainValue(at, line.end);
    this.#onlyComment(node.range[1], line.end);
    return node;
  }

  #plainValue(at: number, end: number): YamlNode {
    this.#match(PLAIN_START, at, end);
    return plain(this.#match(PLAIN_VALUE, at, end), at);
  }

  #quoted(at: number, end: number): YamlNode | undefined {
    const first = this.#text[at];
    if (first !== '"' && first !== "'") return undefined;
    const written = this.#match(first === '"' ? DOUBLE_QUOTED : SINGLE_QUOTED, at, end);
    return { kind: 'scalar', text: written.slice(1, -1), style: 'other', range: [at, at + written.length] };
  }

  #brackets(at: number, end: number, depth: number): YamlNode {
    if (depth > MAX_DEPTH / 4) throw NOT_PLAIN;
    const isList = this.#text[at] === '[';
    const close = isList ? ']' : '}';
    const items: YamlNode[] = [];
    const pairs: YamlPair[] = [];
    let position = this.#skipSpaces(at + 1, end);
    while (this.#text[position] !== close) {
      const item = this.#inside(position, end, depth);
      position = this.#skipSpaces(item.range[1], end);
      if (isList) {
        items.push(item);
      } else {
        if (item.kind !== 'scalar' || this.#text[position] !== ':' || this.#text[position + 1] !== ' ')
          throw NOT_PLAIN;
        const value = this.#inside(this.#skipSpaces(position + 1, end), end, depth);
        pairs.push({ key: item, value });
        position = this.#skipSpaces(value.range[1], end);
      }
      if (this.#text[position] === ',') position = this.#skipSpaces(position + 1, end);
      else if (this.#text[position] !== close) throw NOT_PLAIN;
    }
    if (position >= end) throw NOT_PLAIN;
    const range = [at, position + 1] as const;
    return isList ? { kind: 'seq', items, range } : { kind: 'map', items: pairs, range };
  }

  #inside(at: number, end: number, depth: number): YamlNode {
    const first = this.#text[at];
    if (first === '[' || first === '{') return this.#brackets(at, end, depth + 1);
    return this.#quoted(at, end) ?? plain(this.#match(PLAIN_IN_BRACKETS, at, end), at);
  }

  /** @throws NOT_PLAIN where it does not match within the line */
  #match(pattern: RegExp, at: number, end: number): string {
    pattern.lastIndex = at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined || at + found.length > end) throw NOT_PLAIN;
    return found;
  }

  #onlyComment(at: number, end: number): void {
    const comment = this.#skipSpaces(at, end);
    if (comment === end) return;
    if (comment === at || this.#text.charCodeAt(comment) !== HASH) throw NOT_PLAIN;
  }

  #skipSpaces(at: number, end: number): number {
    let position = at;
    while (position < end && this.#text.charCodeAt(position) === SPACE) position++;
    return position;
  }

  #isItem({ start, end }: Line): boolean {
    return (
      this.#text.charCodeAt(start) === DASH &&
      (start + 1 === end || this.#text.charCodeAt(start + 1) === SPACE)
    );
  }

  #line(): Line {
    const line = this.#lines[this.#next];
    if (line === undefined) throw NOT_PLAIN;
    return line;
  }

  #endOfLast(): number {
    return this.#lines[this.#next - 1]?.next ?? this.#text.length;
  }
}

function plain(text: string, at: number): YamlNode {
  return { kind: 'scalar', text, style: 'plain', range: [at, at + text.length] };
}

/** From bytes to logical lines: parser directives, comments, continuations; every character keeps its byte offset. */
import { DockerfileSyntaxError } from './errors.js';

export type Escape = '\\' | '`';

/** A line of the file: byte offsets; `end` is before the line break, `next` behind it. */
export interface PhysicalLine {
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units of the line decoded as UTF-8; a byte order mark is not counted. */
  readonly column: number;
}

/** What Docker's scanner takes as one line, line break included, in bytes. */
const MAX_LINE = 65_536;
const BOM = '\xef\xbb\xbf';

/** Go's `unicode.IsSpace` over UTF-8, on text where a character is a byte. */
const SPACE =
  '(?:[\\t\\n\\v\\f\\r ]|\\xc2[\\x85\\xa0]|\\xe1\\x9a\\x80|\\xe2(?:\\x80[\\x80-\\x8a\\xa8\\xa9\\xaf]|\\x81\\x9f)|\\xe3\\x80\\x80)';
const LEADING_SPACE = new RegExp(`^${SPACE}+`);
const ONE_SPACE_AT_END = new RegExp(`${SPACE}$`);

/** Bytes that `text` (one character a byte) begins with and that Go calls white space. */
export function leadingSpace(text: string): number {
  if (isVisible(text.charCodeAt(0))) return 0;
  return LEADING_SPACE.exec(text)?.[0].length ?? 0;
}

/** Length of `text` without the white space it ends with. */
export function lengthWithoutTrailingSpace(text: string): number {
  let end = text.length;
  while (!isVisible(text.charCodeAt(end - 1))) {
    // No space is longer than three bytes; looking at these only keeps this linear.
    const space = ONE_SPACE_AT_END.exec(text.slice(Math.max(0, end - 3), end));
    if (space === null) return end;
    end -= space[0].length;
  }
  return end;
}

/** What no white space begins or ends with. */
function isVisible(code: number): boolean {
  return code > 0x20 && code < 0x7f;
}

/** One instruction as written over one or more lines, joined as Docker joins them. One character a byte. */
export class LogicalLine {
  private joined = '';
  private readonly pieces: { readonly at: number; readonly offset: number }[] = [];

  get text(): string {
    return this.joined;
  }

  append(text: string, offset: number): void {
    if (text === '') return;
    this.pieces.push({ at: this.joined.length, offset });
    this.joined += text;
  }

  /** Byte offset in the file of the character at `index`; for the end of the text, the byte behind the last one. */
  offsetOf(index: number): number {
    let low = 0;
    let high = this.pieces.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.pieces[middle]?.at ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    const piece = this.pieces[low];
    return piece === undefined ? 0 : piece.offset + index - piece.at;
  }
}

/** The file's bytes as text (one character a byte) and its lines. */
export class Source {
  readonly text: string;
  readonly lines: readonly PhysicalLine[];

  constructor(content: Buffer) {
    this.text = content.toString('latin1');
    const lines: PhysicalLine[] = [];
    for (let start = 0; start < this.text.length;) {
      const feed = this.text.indexOf('\n', start);
      const next = feed === -1 ? this.text.length : feed + 1;
      let end = next;
      while (end > start && (this.text[end - 1] === '\n' || this.text[end - 1] === '\r')) end--;
      lines.push({ start, end, next });
      start = next;
    }
    this.lines = lines;
    const tooLong = lines.find(
      (line) => line.next - line.start > MAX_LINE - (this.text[line.next - 1] === '\n' ? 0 : 1),
    );
    if (tooLong !== undefined) {
      throw new DockerfileSyntaxError(
        `this line is longer than the ${String(MAX_LINE - 1)} bytes that Docker reads`,
        this.position(tooLong.start),
      );
    }
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.lines.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.lines[middle]?.start ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const start = this.lines[low]?.start ?? 0;
    const before = this.text.slice(start, offset);
    const shown = start === 0 && before.startsWith(BOM) ? before.slice(BOM.length) : before;
    return { line: low + 1, column: Buffer.from(shown, 'latin1').toString('utf8').length + 1 };
  }

  error(message: string, offset: number): DockerfileSyntaxError {
    return new DockerfileSyntaxError(message, this.position(offset));
  }
}

const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const DIRECTIVE_NAMES = new Set(['syntax', 'escape', 'check']);

/**
 * Walks the lines of a file. Whoever finds a heredoc in a logical line reads its content with `nextRaw`, so that the
 * walk goes on behind it.
 */
export class LineReader {
  escape: Escape = '\\';
  private index = 0;
  private directivesOver = false;
  private readonly directives = new Set<string>();

  constructor(private readonly source: Source) {}

  /** The next line as it is, or `undefined` at the end. */
  nextRaw(): PhysicalLine | undefined {
    const line = this.source.lines[this.index];
    if (line !== undefined) this.index++;
    return line;
  }

  /** The next line that is neither empty nor a comment, with its continuations; `undefined` at the end. */
  nextLogical(): LogicalLine | undefined {
    for (let line = this.nextRaw(); line !== undefined; line = this.nextRaw()) {
      const bom = line.start === 0 && this.source.text.startsWith(BOM) ? BOM.length : 0;
      const raw = this.source.text.slice(line.start + bom, line.end);
      const indent = leadingSpace(raw);
      const text = raw.slice(indent);
      this.directive(text, line.start);
      if (text === '' || text.startsWith('#')) continue;
      const logical = new LogicalLine();
      if (this.take(logical, text, line.start + bom + indent)) this.continue(logical);
      return logical;
    }
    return undefined;
  }

  private continue(logical: LogicalLine): void {
    for (let line = this.nextRaw(); line !== undefined; line = this.nextRaw()) {
      const text = this.source.text.slice(line.start, line.end);
      const indent = leadingSpace(text);
      if (indent === text.length || text[indent] === '#') continue;
      if (!this.take(logical, text, line.start)) return;
    }
  }

  /** Appends a line without its continuation mark; says whether it had one. */
  private take(logical: LogicalLine, text: string, offset: number): boolean {
    let end = text.length;
    while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--;
    const continued = text[end - 1] === this.escape && text[end - 2] !== this.escape;
    logical.append(continued ? text.slice(0, end - 1) : text, offset);
    return continued;
  }

  /** Directives stand before everything else; the first line that is none ends them, even a comment. */
  private directive(text: string, offset: number): void {
    if (this.directivesOver) return;
    const match = text.startsWith('#') ? DIRECTIVE.exec(text.slice(1 + leadingSpace(text.slice(1)))) : null;
    const name = match?.[1]?.toLowerCase() ?? '';
    if (!DIRECTIVE_NAMES.has(name)) {
      this.directivesOver = true;
      return;
    }
    if (this.directives.has(name))
      throw this.source.error(`the directive "${name}" may be given only once`, offset);
    this.directives.add(name);
    if (name !== 'escape') return;
    const value = match?.[2] ?? '';
    if (value !== '\\' && value !== '`') {
      throw this.source.error(`the escape character can be \\ or \`, not "${value}"`, offset);
    }
    this.escape = value;
  }
}

/** The `--flag=value` words between an instruction's keyword and its operands, each character with its place. */
import type { Escape } from './lines.js';

/** A character of a flag after quotes and escapes are gone; places are indexes into the logical line. */
export interface Glyph {
  readonly character: string;
  /** Where it is written, its escape included. */
  readonly start: number;
  readonly end: number;
  /** Index of the quote that opens the part it stands in; -1 outside quotes. */
  readonly quote: number;
}

export type Flag = readonly Glyph[];

export interface Flags {
  readonly flags: readonly Flag[];
  /** Index in the line where the operands begin, white space before them included. */
  readonly end: number;
}

/** Docker looks at single bytes here: 0x85 and 0xa0 count as white space. */
const SPACE = '\t\n\v\f\r \x85\xa0';

export function textOf(glyphs: readonly Glyph[]): string {
  return glyphs.map((glyph) => glyph.character).join('');
}

/** Reads the flags of `line` from `start` on. `--` ends them. */
export function readFlags(line: string, start: number, escape: Escape): Flags {
  const flags: Flag[] = [];
  let position = start;
  for (;;) {
    while (position < line.length && SPACE.includes(line[position] ?? '')) position++;
    if (!line.startsWith('--', position)) return { flags, end: position };
    const word = readWord(line, position, escape);
    position = word.end;
    if (textOf(word.glyphs) === '--') return { flags, end: position };
    flags.push(word.glyphs);
  }
}

function readWord(
  line: string,
  start: number,
  escape: Escape,
): { readonly glyphs: Flag; readonly end: number } {
  const glyphs: Glyph[] = [];
  let quote = -1;
  let position = start;
  for (; position < line.length; position++) {
    const character = line[position] ?? '';
    if (quote === -1) {
      if (SPACE.includes(character)) break;
      if (character === '"' || character === "'") {
        quote = position;
        continue;
      }
    } else if (character === line[quote]) {
      quote = -1;
      continue;
    }
    if (character !== escape) {
      glyphs.push({ character, start: position, end: position + 1, quote });
    } else if (position + 1 < line.length) {
      glyphs.push({ character: line[position + 1] ?? '', start: position, end: position + 2, quote });
      position++;
    }
  }
  return { glyphs, end: position };
}

/**
 * The range to replace so that other text takes the place of `part`, as indexes into the line; quotes stay balanced.
 * `undefined` where that is impossible: a quote opens before the part and closes inside it, or the other way round.
 */
export function replaceableRange(
  line: string,
  part: readonly Glyph[],
): { start: number; end: number } | undefined {
  const first = part[0];
  const last = part.at(-1);
  if (first === undefined || last === undefined) return undefined;
  if (first.quote === last.quote) return { start: first.start, end: last.end };
  const opensAtStart = first.quote === -1 || first.quote === first.start - 1;
  const closesAtEnd = last.quote === -1 || line[last.end] === line[last.quote];
  if (!opensAtStart || !closesAtEnd) return undefined;
  return {
    start: first.quote === -1 ? first.start : first.quote,
    end: last.quote === -1 ? last.end : last.end + 1,
  };
}

/** Text of unknown origin on a terminal: control characters made harmless, widths known, lines clipped. */

// Bidirectional controls reorder what is shown, zero-width ones hide: both let a line read as something that it is not.
const INVISIBLE = /[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const COMBINING = /\p{Mark}/u;
const TAB_WIDTH = 4;

/** Messages quote values, which may be megabytes long. */
const LONGEST = 2000;

/** The same text with every character that could steer a terminal replaced by a visible stand-in; of a long one, both ends. */
export function harmless(text: string): string {
  const half = LONGEST / 2;
  const told = text.length <= LONGEST ? text : `${text.slice(0, half)}…${text.slice(-half)}`;
  return Array.from(told, standIn).join('');
}

/** A clipped line and where the asked stretch lies in it, in columns of the terminal, from 0. */
export interface Excerpt {
  readonly text: string;
  readonly start: number;
  readonly width: number;
}

/**
 * Show the line so that the code units `[from, from + length)` are in view.
 * @param room columns of the terminal that the excerpt may take
 */
export function excerpt(line: string, from: number, length: number, room: number): Excerpt {
  // One line of a hostile file may be megabytes long: only what can be in view is looked at.
  const first = Math.max(0, from - room);
  const window = line.slice(first, from + room);
  const cells: { readonly shown: string; readonly width: number; readonly marked: boolean }[] = [];
  let offset = first;
  for (const character of window) {
    const shown = standIn(character);
    cells.push({ shown, width: widthOf(shown), marked: offset >= from && offset < from + length });
    offset += character.length;
  }
  const markedAt = cells.findIndex((cell) => cell.marked);
  const target = markedAt === -1 ? cells.length : markedAt;

  let begin = 0;
  let before = total(cells.slice(0, target));
  // A third of the room for what comes before keeps the culprit and what follows it in view.
  const roomBefore = Math.floor(room / 3);
  if (first > 0 || total(cells) > room) {
    while (before > roomBefore) before -= cells[begin++]?.width ?? 0;
  }
  let end = begin;
  for (let used = 0; end < cells.length; end++) {
    used += cells[end]?.width ?? 0;
    if (used > room) break;
  }
  const view = cells.slice(begin, end);
  const head = first + begin > 0 ? '…' : '';
  const tail = end < cells.length || first + window.length < line.length ? '…' : '';
  return {
    text: head + view.map((cell) => cell.shown).join('') + tail,
    start: head.length + before,
    width: Math.max(1, total(view.filter((cell) => cell.marked))),
  };
}

function total(cells: readonly { readonly width: number }[]): number {
  return cells.reduce((sum, cell) => sum + cell.width, 0);
}

function standIn(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\t') return ' '.repeat(TAB_WIDTH);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  if (code < 0xa0 && code > 0x7f) return '\ufffd';
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd';
  return INVISIBLE.test(character) ? '\ufffd' : character;
}

function widthOf(shown: string): number {
  if (COMBINING.test(shown)) return 0;
  return WIDE.test(shown) ? 2 : shown.length > 2 ? shown.length : 1;
}

/** How many columns text takes on a terminal, and cutting it to fit. Expects sanitized text. */

/** Blocks that Unicode's East Asian Width (UAX #11) calls wide or full-width, emoji included; start and end. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f2ff],
  [0x20000, 0x3fffd],
];

const ZERO = /^[\p{Mn}\p{Me}\u200c\u200d]$/u;
const VARIATION_16 = '\ufe0f';
const EMOJI = /^\p{Emoji_Presentation}$/u;

/**
 * Terminals disagree about joined emoji; this counts every part, and one column for the selector that makes a
 * character an emoji, so that a line may come out shorter than it could be but never wraps.
 */
function characterWidth(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (character === VARIATION_16) return 1;
  if (ZERO.test(character)) return 0;
  return EMOJI.test(character) || WIDE.some(([start, end]) => code >= start && code <= end) ? 2 : 1;
}

/** Columns that sanitized text takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text, or as much of it as fits into `columns` with an ellipsis at its end. */
export function clip(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns < 1) return '';
  let kept = '';
  let width = 0;
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

/** Like `padEnd`, counted in columns. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
}

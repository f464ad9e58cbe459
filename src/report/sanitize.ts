/**
 * Makes text of builds harmless on a terminal: output, labels and names may hold escape sequences that move the
 * cursor, set titles or clipboards, and bidi controls that make a line read as another (CVE-2021-42574).
 */

const ESC = '\u001b';
const BEL = '\u0007';
const STRING_END = `(?:${BEL}|${ESC}\\\\|\u009c)`;

/** ECMA-48: control strings (OSC, DCS, SOS, PM, APC), control sequences (CSI), then two-byte and longer escapes. */
const ESCAPES = new RegExp(
  [
    // Not over the beginning of another: a line of nothing but beginnings would take time by the square of its length.
    `(?:${ESC}[\\]PX^_]|[\u0090\u0098\u009d-\u009f])[^${BEL}${ESC}\u0090\u0098\u009c-\u009f]*${STRING_END}`,
    `(?:${ESC}\\[|\u009b)[0-?]*[ -/]*[@-~]`,
    `${ESC}[ -/]*[0-~]`,
  ].join('|'),
  'g',
);

/** Controls left over, line and bidi separators, invisible format characters and tags, and lone surrogates. */
const UNSAFE =
  /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** U+2400: the picture of control character 0; the others follow. */
const CONTROL_PICTURES = 0x2400;

function visible(character: string): string {
  const code = character.charCodeAt(0);
  if (character === '\t') return '    ';
  if (code < 0x20) return String.fromCharCode(CONTROL_PICTURES + code);
  if (code === 0x7f) return '\u2421';
  return '\ufffd';
}

/**
 * One line of harmless text. Escape sequences go, colours too; of a line that was overwritten by carriage returns
 * (progress bars) the last state stays; other controls become visible characters of width 1.
 */
export function sanitize(line: string): string {
  if (isPlain(line)) return line;
  const text = line.replace(ESCAPES, '');
  const overwritten = text.split('\r').filter((part) => part !== '');
  return (overwritten.at(-1) ?? '').replace(UNSAFE, visible);
}

/** What is to be one line among others: nobody reads more of an instruction. */
const LONGEST_LINE = 4000;

/** Text of several lines, such as an instruction with a heredoc, as one line: its first, marked as cut. */
export function firstLine(text: string): string {
  const whole = text.trimEnd();
  const end = whole.search(/\r?\n/);
  const first = end === -1 ? whole : whole.slice(0, end);
  const shown = sanitize(first.slice(0, LONGEST_LINE));
  return end === -1 && first.length <= LONGEST_LINE ? shown : `${shown} …`;
}

/** Printable ASCII throughout: nearly every line, told apart without the regular expressions. */
function isPlain(line: string): boolean {
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

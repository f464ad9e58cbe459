/** A diagnostic as people read it: its place, what is wrong, the line with the culprit underlined, what to do next. */
import { relative, isAbsolute } from 'node:path';
import { styleText } from 'node:util';
import type { Diagnostic } from './diagnostic.js';
import { excerpt, harmless } from './printable.js';

export interface RenderOptions {
  readonly color: boolean;
  /** Paths below this folder are shown relative to it; default: the current directory. */
  readonly cwd?: string;
}

type Style = Parameters<typeof styleText>[0];

/** Columns for the excerpt of the line, beside the line number. */
const ROOM = 100;

/** Lines joined by `\n`, without a final one; safe to print whatever the files hold. */
export function renderDiagnostic(diagnostic: Diagnostic, options: RenderOptions): string {
  const paint = (style: Style, text: string): string =>
    // The caller has decided about colour; the stream that Node would look at is not the one written to.
    options.color ? styleText(style, text, { validateStream: false }) : text;
  const { severity, message, place, hint } = diagnostic;
  const tint = severity === 'error' ? 'red' : 'yellow';
  const file = harmless(shownPath(diagnostic.file, options.cwd ?? process.cwd()));
  const where = place === undefined ? file : `${file}:${String(place.line)}:${String(place.column)}`;
  const lines = [
    `${paint('bold', where)}: ${paint(tint, `${severity}:`)} ${paint('bold', harmless(message))}`,
  ];
  const number = String(place?.line ?? '');
  if (place !== undefined) {
    const shown = excerpt(place.text, (place.mark ?? place.column) - 1, place.length, ROOM);
    const underline = `^${'~'.repeat(shown.width - 1)}`;
    lines.push(
      `${paint('dim', `  ${number} |`)} ${shown.text}`.trimEnd(),
      `${paint('dim', `  ${' '.repeat(number.length)} |`)} ${' '.repeat(shown.start)}${paint(tint, underline)}`,
    );
  }
  if (hint !== undefined) lines.push(`  ${' '.repeat(number.length)} = ${harmless(hint)}`);
  return lines.join('\n');
}

function shownPath(file: string, cwd: string): string {
  const path = relative(cwd, file);
  return path === '' || path.startsWith('..') || isAbsolute(path) ? file : path;
}

/** The same in one line, for warnings among other messages. */
export function renderDiagnosticLine({ file, place, message, hint }: Diagnostic): string {
  const shown = shownPath(file, process.cwd());
  const where = place === undefined ? shown : `${shown}:${String(place.line)}:${String(place.column)}`;
  return harmless(`${where}: ${message}${hint === undefined ? '' : `; ${hint}`}`);
}

/** The help text of a command, laid out from its grammar: without commander, which would take longer than all the rest of it. */
import type { Flag } from './flag.js';
import { BUILD, type Grammar } from './grammar.js';

const WIDTH = 88;
const INDENT = '  ';

export function helpText({ name, usage, description, groups, flags, notes }: Grammar = BUILD): string {
  const terms = Object.entries(flags).map(([flagName, flag]) => ({ term: termOf(flagName, flag), flag }));
  const column = Math.max(...terms.map(({ term }) => term.length)) + 2 * INDENT.length;
  const shown = [...new Set(terms.map(({ flag }) => flag.group))].flatMap((group) => [
    groups[group],
    ...terms
      .filter(({ flag }) => flag.group === group)
      .map(({ term, flag }) => {
        const lines = wrapped(flag.help, WIDTH - column);
        return `${INDENT}${term}`.padEnd(column) + lines.join(`\n${' '.repeat(column)}`);
      }),
    '',
  ]);
  const head = [`Usage: ${name} ${usage}`, '', ...wrapped(description, WIDTH), ''];
  return `${[...head, ...shown].join('\n').trimEnd()}\n${notes}`;
}

/** A flag as messages write it. */
export function spelling(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

/** `-d DIR`, `-j, --jobs N`, `--no-cache`. */
function termOf(name: string, { short, metavar }: Flag<unknown>): string {
  const names = short === undefined ? spelling(name) : `-${short}, ${spelling(name)}`;
  return metavar === undefined ? names : `${names} ${metavar}`;
}

/** Lines of at most so many columns, broken between words. */
function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1) ?? ''} ${word}`;
    if (lines.length > 0 && line.length <= width) lines[lines.length - 1] = line;
    else lines.push(word);
  }
  return lines;
}

/** Heredocs: which ones a command line announces, and where their content ends. */
import { LexError } from './errors.js';
import { splitWords } from './lexer.js';
import type { LineReader, Source } from './lines.js';

interface Heredoc {
  readonly name: string;
  /** `<<-`: tabs before the name are ignored on the closing line. */
  readonly ignoresTabs: boolean;
}

const HEREDOC = /^\d*<<(-?)\s*([^<]*)$/;

/** The heredocs of a logical line (one character a byte), in the order of their contents. */
export function heredocsOf(line: string): readonly Heredoc[] {
  if (!line.includes('<<')) return [];
  let words: readonly string[];
  try {
    words = splitWords(Buffer.from(line, 'latin1').toString('utf8'), 'raw');
  } catch (error) {
    // Docker leaves a line with unbalanced quotes to the shell that runs it.
    if (error instanceof LexError) return [];
    throw error;
  }
  return words.flatMap((word) => {
    const match = HEREDOC.exec(word);
    const name = splitWords(match?.[2] ?? '', 'unquote');
    return match === null || name.length !== 1
      ? []
      : [{ name: name[0] ?? '', ignoresTabs: match[1] === '-' }];
  });
}

/** Moves the reader behind the content of a heredoc. `offset`: the instruction's, for the error. */
export function skipHeredoc(heredoc: Heredoc, reader: LineReader, source: Source, offset: number): void {
  const name = Buffer.from(heredoc.name, 'utf8').toString('latin1');
  for (let line = reader.nextRaw(); line !== undefined; line = reader.nextRaw()) {
    const text = source.text.slice(line.start, line.end);
    if ((heredoc.ignoresTabs ? text.replace(/^\t+/, '') : text) === name) return;
  }
  throw source.error(`the heredoc "${heredoc.name}" is not closed`, offset);
}

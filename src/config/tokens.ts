/** YAML text to the parser's tokens, within limits that keep a hostile file from taking all memory or the stack. */
import { Lexer, Parser, type CST } from 'yaml';
import type { Diagnostic } from './diagnostic.js';
import type { SourceText } from './source.js';

/** build.yml needs 7. The composer recurses: without a limit a few kB of `[` would end the process. */
export const MAX_DEPTH = 64;
/** Words, signs, spaces and line breaks: enough for 60,000 lines. Each takes some hundred bytes of memory. */
const MAX_LEXEMES = 500_000;

export type Tokens = { readonly tokens: readonly CST.Token[] } | { readonly problem: Diagnostic };

export function readTokens(source: SourceText): Tokens {
  const tokens: CST.Token[] = [];
  const parser = new Parser();
  const tooDeep = (offset: number): Tokens => ({
    problem: source.error(
      `more than ${String(MAX_DEPTH)} levels of nesting`,
      [offset, offset + 1],
      'a build file needs 7 at most',
    ),
  });
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(source.text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > MAX_DEPTH) {
      const deep = parser.stack.filter((token) => 'items' in token)[MAX_DEPTH + 1];
      if (deep !== undefined) return tooDeep(deep.offset);
    }
    if (++lexemes > MAX_LEXEMES) {
      const message = `the file has more than ${String(MAX_LEXEMES)} words and signs`;
      const at = parser.offset;
      return { problem: source.error(message, [at, at + 1], 'give each project a build file of its own') };
    }
  }
  tokens.push(...parser.end());
  for (const token of tokens) {
    const deep = firstTooDeep(token);
    if (deep !== undefined) return tooDeep(deep);
  }
  return { tokens };
}

/** Offset of the first value below {@link MAX_DEPTH}. */
function firstTooDeep(token: CST.Token): number | undefined {
  for (const { token: inner, depth } of walk(token)) {
    if (depth > MAX_DEPTH) return inner.offset;
  }
  return undefined;
}

/** All tokens below this one; iterative, for the same reason that there is a limit of depth. */
export function* walk(
  root: CST.Token,
): Generator<{ readonly token: CST.Token; readonly depth: number }, void, undefined> {
  const open = [{ token: root, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    yield next;
    const { token, depth } = next;
    if (token.type === 'document') {
      if (token.value !== undefined) open.push({ token: token.value, depth });
    } else if ('items' in token) {
      for (const { key, value } of token.items) {
        if (key !== undefined && key !== null) open.push({ token: key, depth: depth + 1 });
        if (value !== undefined) open.push({ token: value, depth: depth + 1 });
      }
    }
  }
}

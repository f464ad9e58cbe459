/** One pattern of a `.dockerignore`: plain text where that is enough, else a regular expression as moby/patternmatcher makes it. */
import { compileParts } from './ignore-automaton.js';
import { InvalidPatternError } from './ignore-error.js';
import { translateRegExp } from './ignore-regexp.js';

/** Paths are latin1 strings: one character a byte. */
export interface PathPattern {
  matches(path: string): boolean;
  /** Whether it may match something below a folder; may say yes in vain. `inside`: the folder's path and a `/`. */
  mayMatchBelow(inside: string): boolean;
}

/**
 * @param pattern cleaned as Go's `filepath.Clean` does, without `!`
 * @throws InvalidPatternError
 */
export function compilePattern(pattern: string): PathPattern {
  checkSyntax(pattern);
  const bytes = toBytes(pattern);
  const special = pattern.search(/[*?[\]\\]/);
  const plain = special === -1 ? `${bytes}/` : toBytes(pattern.slice(0, special));
  return {
    matches: matcherOf(pattern, bytes),
    mayMatchBelow: (inside) => plain.startsWith(inside) || (special !== -1 && inside.startsWith(plain)),
  };
}

function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * Which of four ways a pattern is matched in follows from its tokens one by one, with results of its own: `**x` matches
 * what ends in x, `**x?` only names that begin with x.
 */
function matcherOf(pattern: string, bytes: string): (path: string) => boolean {
  const characters = Array.from(pattern);
  let way: 'exact' | 'prefix' | 'suffix' | 'expression' = 'exact';
  let expression = '^';
  for (let index = 0, token = 0; index < characters.length; index++, token++) {
    const character = characters[index] ?? '';
    switch (character) {
      case '*':
        if (characters[index + 1] !== '*') {
          expression += '[^/]*';
          way = 'expression';
          break;
        }
        index += characters[index + 2] === '/' ? 2 : 1;
        if (index + 1 < characters.length) {
          expression += '(.*/)?';
          way = 'expression';
        } else if (way === 'exact') {
          way = 'prefix';
        } else {
          expression += '.*';
          way = 'expression';
        }
        if (token === 0) way = 'suffix';
        break;
      case '?':
        expression += '[^/]';
        way = 'expression';
        break;
      case '\\':
        expression += character + (characters[++index] ?? '');
        way = 'expression';
        break;
      case '[':
      case ']':
        expression += character;
        way = 'expression';
        break;
      default:
        expression += '.+()|{}$'.includes(character) ? `\\${character}` : character;
    }
  }
  switch (way) {
    case 'exact':
      return (path) => path === bytes;
    case 'prefix':
      return (path) => path.startsWith(bytes.slice(0, -2));
    case 'suffix':
      return (path) => path.endsWith(bytes.slice(2)) || `/${path}` === bytes.slice(2);
    case 'expression': {
      const matches = compileParts(translateRegExp(`${expression}$`));
      return (path) => matches(decode(path));
    }
  }
}

/** What Go's `filepath.Match` takes as a pattern; Docker asks it first. */
function checkSyntax(pattern: string): void {
  const characters = Array.from(pattern);
  let index = 0;
  const literal = (): void => {
    if (characters[index] === '\\' && ++index === characters.length) {
      throw new InvalidPatternError('ends with a \\ that escapes nothing');
    }
    index++;
  };
  const member = (): void => {
    const character = characters[index];
    if (character === undefined) throw new InvalidPatternError('has a [ without its ]');
    if (character === '-' || character === ']')
      throw new InvalidPatternError(`has a ${character} out of place between [ and ]`);
    literal();
  };
  while (index < characters.length) {
    if (characters[index] !== '[') {
      literal();
      continue;
    }
    index++;
    if (characters[index] === '^') index++;
    do {
      member();
      if (characters[index] === '-') {
        index++;
        member();
      }
    } while (characters[index] !== ']');
    index++;
  }
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes to characters as Go does: each byte that is no UTF-8 is a character U+FFFD of its own. */
function decode(bytes: string): string {
  if (/^[\0-\x7f]*$/.test(bytes)) return bytes;
  return bytes.replace(
    /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff]/g,
    (one) => {
      try {
        return STRICT.decode(Buffer.from(one, 'latin1'));
      } catch {
        return '\ufffd'.repeat(one.length);
      }
    },
  );
}

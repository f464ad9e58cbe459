/** Shell words as Docker reads them in FROM and ARG: quotes, escapes and `$variable` in most of their forms. */
import { LexError } from './errors.js';
import { removePrefix, removeSuffix, replacePattern } from './pattern.js';

/**
 * `expand`: quotes and escapes go, an unset variable is empty. `unquote`: the same, but unset variables stay as
 * written. `raw`: quotes and escapes stay too; for finding heredocs in a command line.
 */
export type LexMode = 'expand' | 'unquote' | 'raw';

const SPACE = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;
const NAME = /[\p{L}\p{Nd}_]/u;
const DIGIT = /\p{Nd}/u;
const SPECIAL_PARAMETERS = '@*#?-$!0';

export function isSpace(character: string): boolean {
  return SPACE.test(character);
}

/** All that means something, but for the escape character. */
const SPECIAL = /[$'"<]/;

/** Expands variables and removes quotes. @throws LexError */
export function expandWord(word: string, variables: ReadonlyMap<string, string>, escape: string): string {
  if (!SPECIAL.test(word) && !word.includes(escape)) return word;
  return new Lexer(word, variables, escape, 'expand').read().text;
}

/** Splits at white space outside quotes, with no variable set. @throws LexError */
export function splitWords(text: string, mode: 'unquote' | 'raw'): readonly string[] {
  return new Lexer(text, new Map(), '\\', mode).read().words;
}

/** Substitutions inside each other; deeper than any file needs, shallow enough for the call stack. */
const MAX_DEPTH = 200;

class Lexer {
  private readonly characters: readonly string[];
  private position = 0;
  private depth = 0;

  constructor(
    source: string,
    private readonly variables: ReadonlyMap<string, string>,
    private readonly escape: string,
    private readonly mode: LexMode,
  ) {
    this.characters = Array.from(source);
  }

  read(): { readonly text: string; readonly words: readonly string[] } {
    return this.readUntil(undefined, this.mode === 'raw');
  }

  private peek(): string | undefined {
    return this.characters[this.position];
  }

  private next(): string | undefined {
    const character = this.characters[this.position];
    if (character !== undefined) this.position++;
    return character;
  }

  private readUntil(
    stop: string | undefined,
    rawEscapes: boolean,
  ): { text: string; words: readonly string[] } {
    if (++this.depth > MAX_DEPTH) throw new LexError('substitutions are nested too deeply');
    let text = '';
    let word = '';
    const words: string[] = [];
    const endWord = (): void => {
      if (word !== '') words.push(word);
      word = '';
    };
    for (let character = this.peek(); character !== undefined; character = this.peek()) {
      if (character === stop) {
        this.next();
        this.depth--;
        endWord();
        return { text, words };
      }
      const piece = this.readPiece(character, rawEscapes);
      text += piece.text;
      if (piece.splits) {
        for (const one of piece.text) {
          if (isSpace(one)) endWord();
          else word += one;
        }
      } else {
        word += piece.text;
      }
    }
    if (stop !== undefined) throw new LexError(`a "${stop}" is missing`);
    endWord();
    return { text, words };
  }

  /** `splits`: white space in the text separates words. */
  private readPiece(
    character: string,
    rawEscapes: boolean,
  ): { readonly text: string; readonly splits: boolean } {
    switch (character) {
      case '$':
        return { text: this.readVariable(), splits: true };
      case "'":
        return { text: this.readSingleQuoted(), splits: false };
      case '"':
        return { text: this.readDoubleQuoted(rawEscapes), splits: false };
      case '<':
        return { text: this.readAngle(), splits: false };
      default:
        this.next();
        if (character !== this.escape) return { text: character, splits: true };
        return { text: (rawEscapes ? character : '') + (this.next() ?? ''), splits: false };
    }
  }

  private readSingleQuoted(): string {
    const start = this.position;
    this.next();
    for (let one = this.next(); one !== "'"; one = this.next()) {
      if (one === undefined) throw new LexError("a closing ' is missing");
    }
    const quoted = this.characters.slice(start, this.position).join('');
    return this.mode === 'raw' ? quoted : quoted.slice(1, -1);
  }

  private readDoubleQuoted(rawEscapes: boolean): string {
    const quote = this.mode === 'raw' ? '"' : '';
    let text = '';
    this.next();
    for (let one = this.peek(); one !== '"'; one = this.peek()) {
      if (one === undefined) throw new LexError('a closing " is missing');
      if (one === '$') {
        text += this.readVariable();
        continue;
      }
      this.next();
      if (one !== this.escape) {
        text += one;
        continue;
      }
      if (rawEscapes) text += one;
      const escaped = this.peek();
      if (escaped === '"' || escaped === '$' || escaped === this.escape) text += this.next() ?? '';
      else if (escaped !== undefined) text += one;
    }
    this.next();
    return quote + text + quote;
  }

  /** White space between `<<` and a heredoc's name does not end the word. */
  private readAngle(): string {
    this.next();
    if (this.peek() !== '<') return '<';
    let text = '<';
    do text += this.next() ?? '';
    while (' \t\r'.includes(this.peek() ?? 'x'));
    return text;
  }

  private readName(): string {
    const first = this.peek();
    if (first === undefined) return '';
    let name = '';
    if (DIGIT.test(first)) {
      while (DIGIT.test(this.peek() ?? '')) name += this.next() ?? '';
      return name;
    }
    if (SPECIAL_PARAMETERS.includes(first)) return this.next() ?? '';
    while (NAME.test(this.peek() ?? '')) name += this.next() ?? '';
    return name;
  }

  private readVariable(): string {
    this.next();
    if (this.peek() !== '{') {
      const name = this.readName();
      if (name === '') return '$';
      return this.variables.get(name) ?? (this.mode === 'expand' ? '' : `$${name}`);
    }
    this.next();
    const first = this.peek();
    if (first === undefined) throw new LexError('a "}" is missing');
    if ('{}:'.includes(first)) throw new LexError('bad substitution');
    const name = this.readName();
    const value = this.variables.get(name);
    const written = (rest: string): string | undefined =>
      value === undefined && this.mode !== 'expand' ? `\${${name}${rest}}` : undefined;
    const operator = this.next();
    switch (operator) {
      case undefined:
        throw new LexError('a "}" is missing');
      case '}':
        return written('') ?? value ?? '';
      case ':': {
        const kind = this.next() ?? '';
        if (!'-+?'.includes(kind) || kind === '')
          throw new LexError(`unsupported modifier (:${kind}) in substitution`);
        const word = this.readUntil('}', false).text;
        return written(`:${kind}${word}`) ?? substitute(name, kind, value === '' ? undefined : value, word);
      }
      case '-':
      case '+':
      case '?': {
        const word = this.readUntil('}', false).text;
        return written(`${operator}${word}`) ?? substitute(name, operator, value, word);
      }
      case '#':
      case '%': {
        const word = this.readUntil('}', true).text;
        const remove = operator === '#' ? removePrefix : removeSuffix;
        const greedy = word.startsWith(operator);
        return written(`${operator}${word}`) ?? remove(value ?? '', greedy ? word.slice(1) : word, greedy);
      }
      case '/': {
        const all = this.peek() === '/';
        if (all) this.next();
        const pattern = this.readUntil('/', true).text;
        const replacement = this.readUntil('}', true).text;
        return (
          written(`/${pattern}/${replacement}`) ?? replacePattern(value ?? '', pattern, replacement, all)
        );
      }
      default:
        throw new LexError(`unsupported modifier (${operator}) in substitution`);
    }
  }
}

function substitute(name: string, kind: string, value: string | undefined, word: string): string {
  if (kind === '+') return value === undefined ? '' : word;
  if (value !== undefined) return value;
  if (kind === '-') return word;
  throw new LexError(`${name}: ${word === '' ? 'is not set' : word}`);
}

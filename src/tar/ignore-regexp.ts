/** Go's regular expressions, as far as a pattern of `.dockerignore` can become one, in JavaScript's. */
import { InvalidPatternError } from './ignore-error.js';

/** Inclusive ranges of code points. */
type Ranges = readonly (readonly [number, number])[];

const LAST = 0x10ffff;

/** Pairs of first and last character. */
function pairs(text: string): Ranges {
  const points = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  return Array.from({ length: points.length / 2 }, (_, index) => [
    points[2 * index] ?? 0,
    points[2 * index + 1] ?? 0,
  ]);
}

const CLASSES: ReadonlyMap<string, Ranges> = new Map([
  ['alnum', pairs('09AZaz')],
  ['alpha', pairs('AZaz')],
  ['ascii', pairs('\0\x7f')],
  ['blank', pairs('\t\t  ')],
  ['cntrl', pairs('\0\x1f\x7f\x7f')],
  ['digit', pairs('09')],
  ['graph', pairs('!~')],
  ['lower', pairs('az')],
  ['print', pairs(' ~')],
  ['punct', pairs('!/:@[`{~')],
  ['space', pairs('\t\r  ')],
  ['upper', pairs('AZ')],
  ['word', pairs('09AZ__az')],
  ['xdigit', pairs('09AFaf')],
  ['d', pairs('09')],
  ['s', pairs('\t\n\f\r  ')],
  ['w', pairs('09AZ__az')],
]);

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** A part of an expression, as JavaScript writes it: what stands once, what may repeat, or any number of folders. */
export type Part =
  { readonly kind: 'once' | 'repeated'; readonly source: string } | { readonly kind: 'folders' };

const FOLDERS = '(.*/)?';

/** @throws InvalidPatternError */
export function translateRegExp(expression: string): readonly Part[] {
  return new Translator(expression).all();
}

class Translator {
  readonly #characters: readonly string[];
  #index = 0;

  constructor(expression: string) {
    this.#characters = Array.from(expression);
  }

  all(): readonly Part[] {
    const parts: Part[] = [];
    for (let character = this.#next(); character !== undefined; character = this.#next()) {
      if (character === '(') {
        // Outside brackets, and not escaped, it only comes from `**`.
        this.#index += FOLDERS.length - 1;
        parts.push({ kind: 'folders' });
      } else {
        const source = this.#atom(character);
        const repeated = this.#peek() === '*';
        if (repeated) this.#index++;
        parts.push({ kind: repeated ? 'repeated' : 'once', source });
      }
    }
    return parts;
  }

  #atom(character: string): string {
    switch (character) {
      case '.':
        return '[^\\n]';
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      case '^':
      case '$':
        return character;
      default:
        return point(character.codePointAt(0) ?? 0);
    }
  }

  #peek(): string | undefined {
    return this.#characters[this.#index];
  }

  #next(): string | undefined {
    return this.#characters[this.#index++];
  }

  /** Outside brackets. */
  #escape(): string {
    switch (this.#peek()) {
      case 'A':
        this.#index++;
        return '^';
      case 'z':
        this.#index++;
        return '$';
      case 'b':
      case 'B':
        return `\\${this.#next() ?? ''}`;
      case undefined:
      default: {
        const named = this.#namedEscape();
        return named === undefined ? point(this.#escapedPoint()) : classOf(named);
      }
    }
  }

  /** `\d`, `\S`…; `undefined` if it is none. */
  #namedEscape(): Ranges | undefined {
    const name = this.#peek() ?? '';
    const ranges = 'dsw'.includes(name.toLowerCase()) ? CLASSES.get(name.toLowerCase()) : undefined;
    if (ranges === undefined) return undefined;
    this.#index++;
    return name === name.toLowerCase() ? ranges : negate(ranges);
  }

  #escapedPoint(): number {
    const character = this.#next() ?? '';
    const control = CONTROLS[character];
    if (control !== undefined) return control;
    if (character === 'x') return this.#digits(/^[0-9a-f]{2}/i, 16, character);
    if (/[0-7]/.test(character)) {
      this.#index--;
      return this.#digits(/^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/, 8, character);
    }
    if (/^[^\w]$|_/.test(character) && character <= '\x7f') return character.charCodeAt(0);
    throw new InvalidPatternError(
      `has a \\ before ${character}, which Docker reads as part of a regular expression`,
    );
  }

  #digits(form: RegExp, base: number, escaped: string): number {
    const digits = form.exec(this.#characters.slice(this.#index, this.#index + 3).join(''))?.[0];
    if (digits === undefined) {
      throw new InvalidPatternError(
        `has a \\ before ${escaped}, which Docker reads as part of a regular expression`,
      );
    }
    this.#index += digits.length;
    return parseInt(digits, base);
  }

  #class(): string {
    const negated = this.#peek() === '^';
    if (negated) this.#index++;
    const ranges: (readonly [number, number])[] = [];
    for (let first = true; first || this.#peek() !== ']'; first = false) ranges.push(...this.#member());
    this.#index++;
    return classOf(negated ? negate(ranges) : ranges);
  }

  #member(): Ranges {
    if (this.#peek() === '[' && this.#characters[this.#index + 1] === ':') {
      const named = this.#posix();
      if (named !== undefined) return named;
    }
    if (this.#peek() === '\\') {
      this.#index++;
      const named = this.#namedEscape();
      if (named !== undefined) return named;
      this.#index--;
    }
    const low = this.#single();
    if (this.#peek() !== '-' || this.#characters[this.#index + 1] === ']') return [[low, low]];
    this.#index++;
    const high = this.#single();
    if (high < low) throw new InvalidPatternError('has a range between [ and ] that ends before it begins');
    return [[low, high]];
  }

  #single(): number {
    const character = this.#next();
    if (character === undefined) throw new InvalidPatternError('has a [ without its ]');
    return character === '\\' ? this.#escapedPoint() : (character.codePointAt(0) ?? 0);
  }

  /** `[:alpha:]` and `[:^alpha:]`. */
  #posix(): Ranges | undefined {
    const rest = this.#characters.slice(this.#index + 2).join('');
    const end = rest.indexOf(':]');
    if (end === -1) return undefined;
    const name = rest.slice(0, end);
    const ranges = CLASSES.get(name.replace(/^\^/, ''));
    if (ranges === undefined || /^\^?[dsw]$/.test(name))
      throw new InvalidPatternError(`has the unknown class [:${name}:]`);
    this.#index += Array.from(name).length + 4;
    return name.startsWith('^') ? negate(ranges) : ranges;
  }
}

function point(codePoint: number): string {
  return `\\u{${codePoint.toString(16)}}`;
}

function classOf(ranges: Ranges): string {
  return `[${ranges.map(([low, high]) => `${point(low)}-${point(high)}`).join('')}]`;
}

function negate(ranges: Ranges): Ranges {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [low, high] of [...ranges].sort(([one], [other]) => one - other)) {
    if (low > next) gaps.push([next, low - 1]);
    next = Math.max(next, high + 1);
  }
  if (next <= LAST) gaps.push([next, LAST]);
  return gaps;
}

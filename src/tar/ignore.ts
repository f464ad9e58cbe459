/** `.dockerignore`: which paths of a context are left out, by the rules of Docker (moby/patternmatcher, BuildKit's walk). */
import { IgnoreSyntaxError, InvalidPatternError } from './ignore-error.js';
import { compilePattern, type PathPattern } from './ignore-pattern.js';

/** Paths are relative, `/`-separated latin1 strings: one character a byte. */
export interface IgnoreMatcher {
  /** Whether the file or folder is left out. What it says of a folder says nothing certain of its content. */
  ignores(path: string): boolean;
  /**
   * Whether a pattern with `!` may bring back something below a folder that is left out. Only if not, the folder need not be
   * looked into. It may say yes in vain.
   */
  mayContainIncluded(directory: string): boolean;
}

export { IgnoreSyntaxError } from './ignore-error.js';

interface Rule extends PathPattern {
  /** `back`: a pattern with `!`. */
  readonly brings: 'out' | 'back';
}

/** What Docker's scanner takes as one line, line break included, in bytes. */
const MAX_LINE = 65_536;
/** Go's unicode.IsSpace; JavaScript's own trim() knows a slightly different set. */
const SPACE = '[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const LEADING_SPACE = new RegExp(`^${SPACE}+`, 'u');
const ONE_SPACE = new RegExp(`^${SPACE}$`, 'u');

/**
 * Compiles the content of a `.dockerignore` file.
 *
 * As in BuildKit, a rule is tried on a path and, one after the other, on the folders above it, and `!` counts only where
 * something was left out before. (The classic `docker build` differs in one thing: it never looks into a folder
 * that is left out unless a `!` pattern begins with its name, so `*` with `!**\/x` loses what BuildKit finds.)
 *
 * @throws IgnoreSyntaxError
 */
export function compileIgnore(text: string): IgnoreMatcher {
  return new RuleMatcher(parse(text));
}

/** Which rules a folder matched, itself or by a parent; in the order of the rules. */
interface Judgement {
  readonly path: string;
  readonly matched: readonly boolean[];
}

class RuleMatcher implements IgnoreMatcher {
  readonly #rules: readonly Rule[];
  /** The folders above the path asked last, outermost first: a walk asks for all of one folder's children in turn. */
  readonly #above: Judgement[] = [];

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  ignores(path: string): boolean {
    if (this.#rules.length === 0) return false;
    const last = this.#judge(path, this.#enter(path)).lastIndexOf(true);
    return last !== -1 && this.#rules[last]?.brings === 'out';
  }

  mayContainIncluded(directory: string): boolean {
    const inside = `${directory}/`;
    return this.#rules.some((rule) => rule.brings === 'back' && rule.mayMatchBelow(inside));
  }

  /** Makes `#above` the folders above `path`, and gives the innermost. */
  #enter(path: string): Judgement | undefined {
    while (this.#above.length > 0 && !path.startsWith(`${this.#above.at(-1)?.path ?? ''}/`))
      this.#above.pop();
    for (;;) {
      const parent = this.#above.at(-1);
      const slash = path.indexOf('/', (parent?.path.length ?? -1) + 1);
      if (slash === -1) return parent;
      const folder = path.slice(0, slash);
      this.#above.push({ path: folder, matched: this.#judge(folder, parent) });
    }
  }

  #judge(path: string, parent: Judgement | undefined): readonly boolean[] {
    let out = false;
    return this.#rules.map((rule, index) => {
      const takes = rule.brings === 'out';
      // A rule that could change nothing is not tried, and so does not count for the folder's children either.
      const matched = parent?.matched[index] === true || (takes !== out && rule.matches(path));
      if (matched) out = takes;
      return matched;
    });
  }
}

function parse(text: string): readonly Rule[] {
  const lines = text.replace(/^\ufeff/, '').split('\n');
  return lines.flatMap((line, index) => {
    if (Buffer.byteLength(line) >= MAX_LINE) {
      throw new IgnoreSyntaxError(
        `the line is longer than the ${String(MAX_LINE - 1)} bytes that Docker reads`,
        index + 1,
        '',
      );
    }
    // Only a # at the very beginning makes a comment: behind white space it is part of a name.
    const written = trim(line);
    return line.startsWith('#') || written === '' ? [] : [parseRule(written, index + 1)];
  });
}

/** Docker cleans a line twice, once when reading the file and once when compiling it; so `/!x` means `!x`. */
function parseRule(written: string, line: number): Rule {
  const marked = written.startsWith('!');
  const named = marked ? trim(written.slice(1)) : written;
  const read = (marked ? '!' : '') + (named === '' ? '' : clean(named).replace(/^\/(?=.)/su, ''));
  const pattern = clean(trim(read));
  const back = pattern.startsWith('!');
  if (pattern === '!') {
    throw new IgnoreSyntaxError(`the pattern "${written}" has nothing behind its !`, line, written);
  }
  try {
    return { brings: back ? 'back' : 'out', ...compilePattern(back ? pattern.slice(1) : pattern) };
  } catch (error) {
    if (!(error instanceof InvalidPatternError)) throw error;
    throw new IgnoreSyntaxError(`the pattern "${written}" ${error.message}`, line, written);
  }
}

function trim(text: string): string {
  const start = LEADING_SPACE.exec(text)?.[0].length ?? 0;
  let end = text.length;
  while (end > start && ONE_SPACE.test(text[end - 1] ?? '')) end--;
  return text.slice(start, end);
}

/** Go's `filepath.Clean`: the shortest path that means the same, by its text alone. */
function clean(path: string): string {
  const rooted = path.startsWith('/');
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.length > 0 && names.at(-1) !== '..') names.pop();
    else if (!rooted) names.push(name);
  }
  const joined = names.join('/');
  if (rooted) return `/${joined}`;
  return joined === '' ? '.' : joined;
}

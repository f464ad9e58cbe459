import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileIgnore, IgnoreSyntaxError } from '../../src/tar/ignore.js';

/** The bytes of a name as the matcher takes them. */
function bytes(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1');
}

/** What is left out of `paths`, in their order. */
function ignored(text: string, paths: readonly string[]): readonly string[] {
  const matcher = compileIgnore(text);
  return paths.filter((path) => matcher.ignores(bytes(path)));
}

describe('reading a .dockerignore', () => {
  it.each([
    ['an empty file leaves nothing out', '', ['a'], []],
    ['a line that begins with # is a comment', '#a\nb', ['#a', 'a', 'b'], ['b']],
    ['# behind white space or / is part of a name', ' #a\n/#b', ['#a', '#b'], ['#a', '#b']],
    ['a byte order mark is no part of the first pattern', '\ufeffa', ['a'], ['a']],
    ['white space around a pattern does not count', '  a \t\r\n\u00a0b\u2003', ['a', 'b'], ['a', 'b']],
    ['white space inside a pattern does', 'a b', ['a', 'b', 'a b'], ['a b']],
    ['white space behind ! does not count', '*\n! a', ['a', 'b'], ['b']],
    ['a leading slash does not count', '/a\n//b', ['a', 'b', 'c/a'], ['a', 'b']],
    ['a trailing slash does not count', 'a/', ['a', 'b'], ['a']],
    ['. and .. inside a pattern are resolved', './a/../b/./c', ['a', 'b', 'b/c'], ['b/c']],
    ['patterns that leave the context match nothing', '../a\n..', ['a', 'b'], []],
    ['the context itself cannot be left out', '.\n/\n./', ['a'], []],
    ['/! and ./! mean !', '*\n/!a\n./!b', ['a', 'b', 'c'], ['c']],
    ['only the first ! is a mark', '*\n!!a', ['!a', 'a'], ['a']],
    ['an escaped ! is a name', '\\!a', ['!a', 'a'], ['!a']],
    ['the last line needs no line break', 'a\nb', ['a', 'b'], ['a', 'b']],
  ])('%s', (_, text, paths, expected) => {
    expect(ignored(text, paths)).toEqual(expected);
  });

  it.each([
    ['a\n\n!', 3, '!', 'the pattern "!" has nothing behind its !'],
    ['!/', 1, '!/', 'the pattern "!/" has nothing behind its !'],
    ['/!', 1, '/!', 'the pattern "/!" has nothing behind its !'],
    ['x\n[a', 2, '[a', 'the pattern "[a" has a [ without its ]'],
    ['[]', 1, '[]', 'the pattern "[]" has a ] out of place between [ and ]'],
    ['a[b-]', 1, 'a[b-]', 'the pattern "a[b-]" has a ] out of place between [ and ]'],
    ['[-a]', 1, '[-a]', 'the pattern "[-a]" has a - out of place between [ and ]'],
    ['a\\', 1, 'a\\', 'the pattern "a\\" ends with a \\ that escapes nothing'],
    ['[z-a]', 1, '[z-a]', 'the pattern "[z-a]" has a range between [ and ] that ends before it begins'],
    ['[[:cats:]]', 1, '[[:cats:]]', 'the pattern "[[:cats:]]" has the unknown class [:cats:]'],
    [
      '\\q',
      1,
      '\\q',
      'the pattern "\\q" has a \\ before q, which Docker reads as part of a regular expression',
    ],
  ])('refuses %j, naming the line and the pattern', (text, line, pattern, message) => {
    const error = (() => {
      try {
        compileIgnore(text);
        return undefined;
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(IgnoreSyntaxError);
    expect(error).toMatchObject({ line, pattern, message });
  });

  it('refuses a line that is too long for Docker', () => {
    expect(compileIgnore(`b\n${'a'.repeat(65_535)}`).ignores('b')).toBe(true);
    expect(() => compileIgnore(`b\n${'a'.repeat(65_536)}`)).toThrow(
      'the line is longer than the 65535 bytes that Docker reads',
    );
  });
});

describe('patterns', () => {
  it.each([
    ['a name matches at the root only', 'a', ['a', 'b/a'], ['a']],
    ['a matched folder takes its content along', 'a', ['a/b', 'a/b/c', 'ab/c'], ['a/b', 'a/b/c']],
    ['* stays inside one name', 'a*', ['a', 'ab', 'b', 'x/a'], ['a', 'ab']],
    ['* matches leading dots', '*', ['.git', 'a'], ['.git', 'a']],
    ['*/* leaves the first level', '*/*', ['a', 'a/b', 'a/b/c'], ['a/b', 'a/b/c']],
    [
      '? is one character, not a slash',
      'a?c',
      ['abc', 'a/c', 'aéc', 'a日c', 'abbc', 'ac'],
      ['abc', 'aéc', 'a日c'],
    ],
    [
      '? matches a line break, ** between slashes does not',
      'a?b\nn/**/c',
      ['a\nb', 'n/x\ny/c', 'n/x/c'],
      ['a\nb', 'n/x/c'],
    ],
    ['**/ matches at any depth, none included', '**/a', ['a', 'b/a', 'b/c/a', 'ba'], ['a', 'b/a', 'b/c/a']],
    ['/** needs something below', 'a/**', ['a', 'a/b', 'a/b/c', 'ab'], ['a/b', 'a/b/c']],
    [
      'a/**/b matches any number of folders between',
      'a/**/b',
      ['a/b', 'a/x/b', 'a/x/y/b', 'a/xb'],
      ['a/b', 'a/x/b', 'a/x/y/b'],
    ],
    ['** alone leaves out all', '**', ['a', 'b/c'], ['a', 'b/c']],
    ['**x matches what ends in x', '**foo', ['foo', 'xfoo', 'd/xfoo', 'foox'], ['foo', 'xfoo', 'd/xfoo']],
    ['**x* matches names that begin with x', '**foo*', ['foo', 'xfoo', 'd/foox'], ['foo', 'd/foox']],
    ['x** matches what begins with x', 'a**', ['a', 'ab', 'a/b', 'ba'], ['a', 'ab', 'a/b']],
    ['[a-c] is a class', '[a-c]', ['a', 'c', 'd', 'ab'], ['a', 'c']],
    ['[^a] is anything else', '[^a]', ['a', 'b', 'é'], ['b', 'é']],
    ['[!a] is ! or a, unlike in a shell', '[!a]', ['a', '!', 'b'], ['a', '!']],
    ['classes know characters beyond ASCII', '[à-ü]', ['é', 'e', 'Ã'], ['é']],
    ['[[:alpha:]] is a class too', '[[:alpha:]]1', ['a1', '11', ':1'], ['a1']],
    ['escapes inside classes', '[\\]\\-x]', [']', '-', 'x', '\\'], [']', '-', 'x']],
    [
      '* and ? in brackets act as Go makes regular expressions of them',
      '[*]\n[?]',
      ['*', '[]', '^]', ']'],
      ['[]', '^]', ']'],
    ],
    ['a backslash makes the next character plain', 'a\\*b', ['a*b', 'axb', 'a\\*b'], ['a*b']],
    ['\\d is a digit, as in Docker', 'v\\d', ['v1', 'vd'], ['v1']],
    ['\\x41 and \\101 are A, as in Docker', '\\x41b\n\\101c', ['Ab', 'Ac', 'x41b'], ['Ab', 'Ac']],
    [
      'other signs of regular expressions are plain',
      'a.b\n(c)*\n{d}?\n+$|',
      ['axb', 'a.b', '(c)1', 'c', '{d}1', '+$|'],
      ['a.b', '(c)1', '{d}1', '+$|'],
    ],
    [
      '^ is plain in a plain pattern, and matches nothing beside a wildcard',
      'a^b\nc^*',
      ['a^b', 'c^d'],
      ['a^b'],
    ],
    ['names are matched by case', 'A', ['a', 'A'], ['A']],
    ['a plain pattern beyond ASCII matches its UTF-8 bytes', 'é/日', ['é/日', 'e/日'], ['é/日']],
  ])('%s', (_, text, paths, expected) => {
    expect(ignored(text, paths)).toEqual(expected);
  });

  it('matches each byte of a name that is no UTF-8 as one character', () => {
    const matcher = compileIgnore('a??b\n[^x]z\nc???d');
    expect(matcher.ignores('c\xe0\x80\x80d')).toBe(true);
    expect(matcher.ignores('c\xe6\x97\xa5d')).toBe(false);
    expect(matcher.ignores('a\xff\xfeb')).toBe(true);
    expect(matcher.ignores('a\xe6\x97b')).toBe(true);
    expect(matcher.ignores('a\xe6\x97\xa5b')).toBe(false);
    expect(matcher.ignores('\xffz')).toBe(true);
  });
});

describe('exceptions', () => {
  it.each([
    ['the last matching line wins', '*.md\n!a.md\n!b.md\nb.md', ['a.md', 'b.md', 'c.md'], ['b.md', 'c.md']],
    ['an exception before what it excepts has no effect', '!a\na', ['a'], ['a']],
    ['an exception brings back a folder with its content', '*\n!a', ['a', 'a/b/c', 'b'], ['b']],
    ['an exception brings back something below', 'a\n!a/b', ['a', 'a/b', 'a/b/c', 'a/c'], ['a', 'a/c']],
    ['a later line takes out a part again', '*\n!a\na/b', ['a/b', 'a/c'], ['a/b']],
    [
      'an exception that a folder did not need does not count inside it',
      '**/a\n!b',
      ['b', 'b/a', 'b/c'],
      ['b/a'],
    ],
    ['wildcards in exceptions', '**\n!**/*.go', ['a', 'a/b.go', 'c.go'], ['a']],
  ])('%s', (_, text, paths, expected) => {
    expect(ignored(text, paths)).toEqual(expected);
  });

  it.each([
    ['a', 'a', false],
    ['a\n!b', 'a', false],
    ['a\n!a/b', 'a', true],
    ['a\n!ab', 'a', false],
    ['a\n!a/b/c', 'a/b', true],
    ['a\n!a/b/c', 'a/c', false],
    ['a\n!**/x', 'a', true],
    ['a\n!*/x', 'a', true],
    ['a\n!a/x*', 'a/b', false],
    ['a\n!é/x', bytes('é'), true],
  ])('%j: looking into %j is needed: %j', (text, directory, needed) => {
    expect(compileIgnore(text).mayContainIncluded(directory)).toBe(needed);
  });
});

/** Small alphabets, so that patterns and paths meet. */
const name = fc
  .string({ unit: fc.constantFrom('a', 'b', '.', 'é'), minLength: 1, maxLength: 3 })
  .filter((one) => !/^\.{1,2}$/.test(one));
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const element = fc.oneof(
  name,
  fc.constantFrom('*', '**', '?', 'a*', '*b', '?a', '[ab]', '[^a]', 'a?', '*.b', '\\.', '\\*'),
);
const line = fc
  .tuple(fc.boolean(), fc.array(element, { minLength: 1, maxLength: 4 }))
  .map(([back, elements]) => (back ? '!' : '') + elements.join('/'));
const lines = fc.array(line, { maxLength: 6 });

/** Matches name by name with backtracking, without regular expressions; no pattern of `element` needs more. */
function matchesSlowly(pattern: readonly string[], names: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return names.length === 0;
  if (first === '**') {
    if (rest.length === 0) return names.length > 0;
    return names.length > 0 && (matchesSlowly(rest, names) || matchesSlowly(pattern, names.slice(1)));
  }
  return (
    names[0] !== undefined &&
    nameMatchesSlowly(Array.from(first), Array.from(names[0])) &&
    matchesSlowly(rest, names.slice(1))
  );
}

function nameMatchesSlowly(pattern: readonly string[], characters: readonly string[]): boolean {
  const [head, ...tail] = pattern;
  const [one, ...others] = characters;
  switch (head) {
    case undefined:
      return one === undefined;
    case '*':
      return nameMatchesSlowly(tail, characters) || (one !== undefined && nameMatchesSlowly(pattern, others));
    case '?':
      return one !== undefined && nameMatchesSlowly(tail, others);
    case '[': {
      const close = tail.indexOf(']');
      const members = tail.slice(0, close);
      const negated = members[0] === '^';
      return (
        one !== undefined &&
        members.includes(one) !== negated &&
        nameMatchesSlowly(tail.slice(close + 1), others)
      );
    }
    case '\\':
      return tail[0] === one && nameMatchesSlowly(tail.slice(1), others);
    default:
      return head === one && nameMatchesSlowly(tail, others);
  }
}

/** The rules told as a story: walk down to the path; at each folder every line remembers whether it has matched. */
function ignoredSlowly(text: readonly string[], wanted: string): boolean {
  const names = wanted.split('/');
  const remembered = new Set<number>();
  let out = false;
  for (let depth = 1; depth <= names.length; depth++) {
    out = false;
    text.forEach((one, index) => {
      const back = one.startsWith('!');
      const pattern = (back ? one.slice(1) : one).split('/');
      if (!remembered.has(index) && (back !== out || !matchesSlowly(pattern, names.slice(0, depth)))) return;
      remembered.add(index);
      out = !back;
    });
  }
  return out;
}

describe('any rules and any paths', () => {
  it('judge a path as the slow and obvious matcher does', () => {
    fc.assert(
      fc.property(lines, fc.array(path, { minLength: 1, maxLength: 5 }), (text, paths) => {
        const matcher = compileIgnore(text.join('\n'));
        for (const one of paths)
          expect([one, matcher.ignores(bytes(one))]).toEqual([one, ignoredSlowly(text, one)]);
      }),
      { numRuns: 2000 },
    );
  });

  it('never bring back something in a folder that need not be looked into', () => {
    fc.assert(
      fc.property(lines, path, (text, below) => {
        const matcher = compileIgnore(['a', ...text].join('\n'));
        const pruned = ['a', `a/${bytes(below)}`].some(
          (folder) => matcher.ignores(folder) && !matcher.mayContainIncluded(folder),
        );
        if (pruned) expect(matcher.ignores(`a/${bytes(below)}/b`)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('do not depend on what was asked before', () => {
    fc.assert(
      fc.property(lines, fc.array(path, { minLength: 2, maxLength: 8 }), (text, paths) => {
        const matcher = compileIgnore(text.join('\n'));
        for (const one of paths)
          expect(matcher.ignores(bytes(one))).toBe(compileIgnore(text.join('\n')).ignores(bytes(one)));
      }),
    );
  });

  it('fail with nothing but an IgnoreSyntaxError', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('ab!*?[]^-\\/.:#\n\r {}()+|$dwx01\u00e9\ud800')) }),
        path,
        (text, one) => {
          try {
            compileIgnore(text).ignores(bytes(one));
          } catch (error) {
            if (!(error instanceof IgnoreSyntaxError)) throw error;
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

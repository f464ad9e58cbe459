import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyFromImage, findContextCopies } from '../../src/dockerfile/copy-sources.js';
import { redirect } from '../../src/dockerfile/rewrite.js';

/** Paths of the sources, one list for each COPY that was found. */
function sources(text: string): readonly (readonly string[])[] {
  return findContextCopies(Buffer.from(text)).map((copy) => copy.sources.map(({ path }) => path));
}

/** The file with every COPY that was found taken from the image `i:1`, below `/in`. */
function rewritten(text: string): string {
  const content = Buffer.from(text);
  const changed = findContextCopies(content).flatMap(
    (copy) =>
      copyFromImage(
        copy,
        'i:1',
        copy.sources.map(({ path }) => `/in/${path}`),
      ) ?? [],
  );
  return redirect(
    content,
    changed.flatMap(({ replacements }) => replacements),
  ).toString();
}

describe('finding COPY', () => {
  it.each([
    ['COPY a /b', [['a']]],
    ['copy a b/c/ d /e/', [['a', 'b/c', 'd']]],
    ['COPY ./a//b/. /c', [['a/b']]],
    ['COPY /a /b', [['a']]],
    ['COPY ["a b", "c"]', [['a b']]],
    ['COPY [ "a" ,\t"b", "c/" ]', [['a', 'b']]],
    ['COPY a\\\nb \\\n# no\n c /d', [['ab', 'c']]],
    ['# escape=`\nCOPY a`\nb /c', [['ab']]],
    ['COPY -- a /b', [['a']]],
    ['COPY na\u00efve /b', [['na\u00efve']]],
    ['COPY a $DEST', [['a']]],
    ['COPY a /b\nRUN x\nCOPY c /d', [['a'], ['c']]],
  ])('reads the sources of %j', (text, expected) => {
    expect(sources(`${text.startsWith('#') ? '' : 'FROM x\n'}${text}\n`)).toEqual(expected);
  });

  it.each([
    'COPY --from=x a /b',
    'COPY --chown=1 a /b',
    'COPY --chmod=755 a /b',
    'COPY a* /b',
    'COPY a? /b',
    'COPY a[bc] /d',
    'COPY $A /b',
    'COPY a "b" /c',
    "COPY 'a' /b",
    'COPY a\\ b /c',
    'COPY ["a\\u0062", "/c"]',
    'COPY ["a", "$B", "/c"]',
    'COPY . /a',
    'COPY a . /b/',
    'COPY / /a',
    'COPY ../a /b',
    'COPY a/../b /c',
    'COPY a',
    'COPY',
    'COPY ["a"]',
    'COPY [a, b',
    'COPY <<E /a\nCOPY b /c\nE',
    'ADD a /b',
    'ONBUILD COPY a /b',
    'RUN COPY a /b',
    '# COPY a /b',
    'COPYa b /c',
    'COPY \xff /b',
  ])('leaves %j alone', (text) => {
    expect(findContextCopies(Buffer.from(`FROM x\n${text}\n`, 'latin1'))).toEqual([]);
  });
});

describe('copying from an image', () => {
  it.each([
    ['COPY a /b', 'COPY --from=i:1 /in/a /b'],
    ['  copy\ta b /c/  ', '  copy --from=i:1\t/in/a /in/b /c/  '],
    ['COPY ["a b","/c d"]', 'COPY --from=i:1 ["/in/a b","/c d"]'],
    ['COPY\\\n a\\\n /b', 'COPY --from=i:1\\\n /in/a\\\n /b'],
    ['CO\\\nPY a\\\nb /c', 'CO\\\nPY --from=i:1 \\\n/in/ab /c'],
    [
      'COPY \\\r\n# no\r\n\r\n  ./a/ \\\r\n  /b\r\nRUN x',
      'COPY --from=i:1 \\\r\n# no\r\n\r\n  /in/a \\\r\n  /b\r\nRUN x',
    ],
    ['COPY -- a /b', 'COPY --from=i:1 -- /in/a /b'],
  ])('makes %j %j', (before, after) => {
    expect(rewritten(`FROM x\n${before}`)).toBe(`FROM x\n${after}`);
  });

  it('tells how the engine names what was written otherwise', () => {
    const [copy] = findContextCopies(Buffer.from('FROM x\nCOPY \\\n# no\n  ./a/ b \\\n /c/\n'));
    expect(copy && copyFromImage(copy, 'i:1', ['/x/a', '/b'])).toMatchObject({
      built: ' --from=i:1   /x/a /b',
      written: '   ./a/ b',
    });
  });

  it.each([
    ['COPY a /b', '/with space/a'],
    ['COPY a /b', '/a$b'],
    ['COPY a /b', '/a*'],
    ['COPY ["a", "/b"]', '/"a'],
    ['COPY ["a", "/b"]', '/a\nb'],
    ['COPY ["a", "/b"]', '/a\\b'],
  ])('refuses for %j the path %j', (text, path) => {
    const [copy] = findContextCopies(Buffer.from(`FROM x\n${text}\n`));
    expect(copy && copyFromImage(copy, 'i:1', [path])).toBeUndefined();
  });

  it('keeps all lines, and all that is no source, for any spelling', () => {
    const gap = fc.constantFrom(' ', '\t ', ' \\\n', ' \\ \r\n# COPY no\n\n  ');
    const name = fc.constantFrom('a', './b/', 'c/d', 'e\\\nf', '/g', 'n\u00e4h');
    const copies = fc.tuple(
      fc.constantFrom('COPY', 'copy'),
      fc.array(fc.tuple(gap, name), { minLength: 1, maxLength: 4 }),
      gap,
    );
    fc.assert(
      fc.property(fc.array(copies, { maxLength: 4 }), (given) => {
        const lines = given.map(
          ([keyword, words, last]) => `${keyword}${words.map((word) => word.join('')).join('')}${last}/to/`,
        );
        const text = ['FROM x', ...lines, 'RUN y'].join('\n');
        const found = findContextCopies(Buffer.from(text));
        expect(found.map((copy) => copy.sources.length)).toEqual(given.map(([, words]) => words.length));
        const after = rewritten(text);
        expect(after.split('\n').length).toBe(text.split('\n').length);
        expect(after.split('\n').map((line) => line.includes('RUN y'))).toEqual(
          text.split('\n').map((line) => line.includes('RUN y')),
        );
        expect(after.match(/--from=i:1/g)?.length ?? 0).toBe(given.length);
        expect(findContextCopies(Buffer.from(after))).toEqual([]);
        const plain = after.replaceAll(' --from=i:1', '');
        expect(
          findContextCopies(Buffer.from(plain)).map((copy) => copy.sources.map(({ path }) => path)),
        ).toEqual(found.map((copy) => copy.sources.map(({ path }) => `in/${path}`)));
      }),
      { numRuns: 1000 },
    );
  });
});

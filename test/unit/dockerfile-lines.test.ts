import { describe, expect, it } from 'vitest';
import { DockerfileSyntaxError, findImageReferences } from '../../src/dockerfile/references.js';

type Options = Partial<Parameters<typeof findImageReferences>[1]>;

/** The images of a Dockerfile, each with the operand as written where that differs. */
function images(text: string, options: Options = {}): readonly string[] {
  const content = Buffer.from(text, 'utf8');
  return findImageReferences(content, { buildArgs: {}, ...options }).map(({ image, start, end }) => {
    const written = content.toString('utf8', start, end);
    return written === image ? image : `${image} (${written})`;
  });
}

describe('lines', () => {
  it.each([
    ['an operand on a continued line', 'FROM \\\n  a\nCOPY \\\n --from=b \\\n x /', ['a', 'b']],
    ['white space behind the continuation', 'FROM \\ \t\n a', ['a']],
    ['a continuation inside a name', 'FROM ab\\\ncd AS e', ['abcd (ab\\\ncd)']],
    ['a continued line is joined without its break only', 'FROM a\\\n b', undefined],
    [
      'comments and empty lines inside a continuation',
      'FROM a\nCOPY \\\n# no \\\n\n   # no\n --from=b x /',
      ['a', 'b'],
    ],
    ['a continuation at the end of the file', 'FROM a \\', ['a']],
    ['a line of nothing but a continuation', '\\\nFROM a', ['a']],
    ['an escaped continuation is none', 'FROM a\nRUN x \\\\\nFROM b', ['a', 'b']],
    ['an instruction that would only begin in a continuation', 'FROM a\nRUN x \\\nFROM b', ['a']],
    ['carriage returns behind continuations', 'FROM a\r\nCOPY \\\r\n --from=b \\\r\n x /\r\n', ['a', 'b']],
    ['the escape directive', '# escape=`\nFROM `\n a\nRUN c:\\\nFROM b', ['a', 'b']],
    [
      'directives in any order, case and spacing',
      '#syntax=x\n# CHECK = skip=all\n#\tEscape =`\nFROM `\n a',
      ['a'],
    ],
    ['a directive behind a comment is a comment', '# hello\n# escape=`\nFROM a\nRUN x \\\nFROM b', ['a']],
    ['a directive behind an empty line is a comment', '\n# escape=`\nFROM a\nRUN x \\\nFROM b', ['a']],
    ['an unknown directive ends them', '# foo=x\n# escape=`\nFROM a\nRUN x \\\nFROM b', ['a']],
  ])('%s', (_, text, expected) => {
    if (expected === undefined)
      expect(() => images(text)).toThrow('FROM takes an image, or an image, AS and a name');
    else expect(images(text)).toEqual(expected);
  });
});

describe('heredocs', () => {
  it.each([
    ['of RUN', 'FROM a\nRUN <<EOF\nFROM b\nEOF\nCOPY --from=c x /', ['a', 'c']],
    ['of COPY and ADD', 'FROM a\nCOPY <<A <<B /\nFROM b\nA\nFROM c\nB\nADD <<C /\nFROM d\nC', ['a']],
    ['of ONBUILD', 'FROM a\nONBUILD RUN <<EOF\nFROM b\nEOF', ['a']],
    ['with tabs', 'FROM a\nRUN <<-EOF\n\tFROM b\n\t\tEOF\nFROM c', ['a', 'c']],
    ['without - tabs do not end it', 'FROM a\nRUN <<EOF\n\tEOF\nFROM b\nEOF\nFROM c', ['a', 'c']],
    [
      'with quoted names',
      'FROM a\nRUN <<"E 1" <<\'F\' <<\\G\nFROM b\nE 1\nFROM c\nF\nFROM d\nG\nFROM e',
      ['a', 'e'],
    ],
    [
      'with white space before the name and a number',
      'FROM a\nRUN 3<< EOF cat\nFROM b\nEOF\nFROM c',
      ['a', 'c'],
    ],
    ['behind a mount', 'FROM a\nRUN --mount=from=b,target=/b <<EOF\nFROM c\nEOF', ['a', 'b']],
    ['behind a continuation', 'FROM a\nRUN x \\\n <<EOF\nFROM b \\\nEOF\nFROM c', ['a', 'c']],
    ['with carriage returns', 'FROM a\r\nRUN <<EOF\r\nFROM b\r\nEOF\r\nFROM c', ['a', 'c']],
    ['a word that only contains << is none', 'FROM a\nRUN x<<EOF\nFROM b', ['a', 'b']],
    ['in quotes there is none', 'FROM a\nRUN sh -c "x <<EOF"\nFROM b', ['a', 'b']],
    ['<<< is none', 'FROM a\nRUN cat <<<EOF\nFROM b', ['a', 'b']],
    ['with unbalanced quotes there is none', "FROM a\nRUN <<EOF it's\nFROM b", ['a', 'b']],
    ['in the list form there is none', 'FROM a\nRUN ["x", "<<EOF", "<<EOF"]\nFROM b', ['a', 'b']],
    ['of other instructions there is none', 'FROM a\nENV X <<EOF\nFROM b', ['a', 'b']],
  ])('%s', (_, text, expected) => {
    expect(images(text)).toEqual(expected);
  });
});

describe('places', () => {
  it('give the byte range, the line and the column of the operand', () => {
    const content = Buffer.from('FROM a\n\n# é\nCOPY --chown=é --from="b" x /');
    expect(findImageReferences(content, { buildArgs: {} })).toEqual([
      { image: 'a', start: 5, end: 6, line: 1, column: 6 },
      { image: 'b', start: 37, end: 38, line: 4, column: 24 },
    ]);
  });

  it('do not count a byte order mark', () => {
    expect(findImageReferences(Buffer.from('\ufeffFROM a'), { buildArgs: {} })).toEqual([
      { image: 'a', start: 8, end: 9, line: 1, column: 6 },
    ]);
  });

  it.each([
    ['FROM a\nCOPY --from="b" x /', '"b"', 'b'],
    ['FROM a\nCOPY --from=b"c"d x /', 'b"c"d', 'b"c"d'],
    ['FROM a\nCOPY --from="b"c x /', '"b"c', '"b"c'],
    ['FROM a\nCOPY --"from=b" x /', '"from=b"', 'b'],
    ["FROM a\nRUN --mount=from='b',target=/x x", "'b'", 'b'],
    ['FROM a\nCOPY --from=\\b x /', '\\b', '\\b'],
  ])('in %j leave the quotes balanced', (text, _, expected) => {
    const reference = findImageReferences(Buffer.from(text), { buildArgs: {} })[1];
    expect(Buffer.from(text).toString('utf8', reference?.start, reference?.end)).toBe(expected);
  });
});

describe('what cannot be read', () => {
  it.each([
    ['', 'this Dockerfile has no FROM', 1, 1],
    ['# nothing\n', 'this Dockerfile has no FROM', 1, 1],
    ['FROM', 'FROM takes an image, or an image, AS and a name', 1, 1],
    ['FROM a\n  FROM a b', 'FROM takes an image, or an image, AS and a name', 2, 3],
    ['FROM a of b', 'FROM takes an image, or an image, AS and a name', 1, 1],
    ['\nFROM  $X', 'the image "$X" is empty; FROM sees only ARGs that stand before the first FROM', 2, 7],
    ['FROM ${X', 'the image "${X" cannot be read: a "}" is missing', 1, 6],
    ['FROM ${}', 'the image "${}" cannot be read: bad substitution', 1, 6],
    ['FROM ${X:?why}', 'the image "${X:?why}" cannot be read: X: why', 1, 6],
    ['FROM ${X^}', 'the image "${X^}" cannot be read: unsupported modifier (^) in substitution', 1, 6],
    ['FROM "a', 'the image ""a" cannot be read: a closing " is missing', 1, 6],
    ["FROM 'a", 'the image "\'a" cannot be read: a closing \' is missing', 1, 6],
    ['ARG X=${\nFROM a', 'the default "${" cannot be read: a "}" is missing', 1, 5],
    ['FROM a\nRUN <<EOF\nx', 'the heredoc "EOF" is not closed', 2, 1],
    ['# escape=x\nFROM a', 'the escape character can be \\ or `, not "x"', 1, 1],
    ['# escape=`\n# escape=`\nFROM a', 'the directive "escape" may be given only once', 2, 1],
    [
      'FROM a\nCOPY --from=$X x /',
      '"$X": from= takes no variables; name a stage with FROM $X AS … and copy from that',
      2,
      13,
    ],
    [
      'FROM a\nRUN --mount=from=b$X x',
      '"b$X": from= takes no variables; name a stage with FROM b$X AS … and copy from that',
      2,
      18,
    ],
    [
      'FROM a\nCOPY --"from=b"c x /',
      'the quotes around "bc" must open and close around the whole name',
      2,
      14,
    ],
    [`FROM a\nRUN ${'x'.repeat(65_532)}`, 'this line is longer than the 65535 bytes that Docker reads', 2, 1],
  ])('%j', (text, message, line, column) => {
    const error = (() => {
      try {
        return images(text);
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(DockerfileSyntaxError);
    expect(error).toMatchObject({ message, line, column });
  });

  it('is also what nests too deeply', () => {
    const nested = (depth: number): string => `FROM ${'${a:-'.repeat(depth)}b${'}'.repeat(depth)}`;
    expect(images(`${nested(150)}\n${nested(150)}`)).toHaveLength(2);
    expect(() => images(nested(3000))).toThrow('cannot be read: substitutions are nested too deeply');
  });

  it('takes the longest lines that Docker takes', () => {
    expect(images(`FROM a\nRUN ${'x'.repeat(65_531)}`)).toEqual(['a']);
    expect(images(`FROM a\nRUN ${'x'.repeat(65_531)}\n`)).toEqual(['a']);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DockerfileSyntaxError, findImageReferences } from '../../src/dockerfile/references.js';
import { redirect } from '../../src/dockerfile/rewrite.js';

/** Redirects every image of a Dockerfile to `new`. */
function redirected(text: string): string {
  const content = Buffer.from(text, 'utf8');
  const found = findImageReferences(content, { buildArgs: {} });
  return redirect(
    content,
    found.map(({ start, end }) => ({ start, end, text: 'new' })),
  ).toString('utf8');
}

describe('redirecting images', () => {
  it.each([
    ['FROM a AS b', 'FROM new AS b'],
    ['FROM "a"', 'FROM new'],
    ['ARG V=1\nFROM a:${V}\n', 'ARG V=1\nFROM new\n'],
    ['FROM a\nCOPY --from="b" x /\r\n', 'FROM new\nCOPY --from="new" x /\r\n'],
    ['FROM a\nCOPY --from="b"c x /', 'FROM new\nCOPY --from=new x /'],
    [
      'FROM a\nRUN --mount=type=bind,from=b,target=/b x',
      'FROM new\nRUN --mount=type=bind,from=new,target=/b x',
    ],
    ['FROM a\nRUN --mount=\\"from=b\\",target=/b x', 'FROM new\nRUN --mount=\\"from=new\\",target=/b x'],
    ['FROM ab\\\ncd AS e', 'FROM \\\nnew AS e'],
    ['FROM ab\\ \t\r\n# no\n\n \ncd\\\nef AS g', 'FROM \\ \t\r\n# no\n\n \n\\\nnew AS g'],
    ['# escape=`\nFROM ab`\ncd\nFROM e', '# escape=`\nFROM `\nnew\nFROM new'],
  ])('makes %j %j', (before, after) => {
    expect(redirected(before)).toBe(after);
  });

  it('keeps bytes that are no UTF-8', () => {
    const content = Buffer.from('# \xff\nFROM a\nLABEL x=\xfe\r', 'latin1');
    expect(redirect(content, [{ start: 9, end: 10, text: 'é' }])).toEqual(
      Buffer.from('# \xff\nFROM \xc3\xa9\nLABEL x=\xfe\r', 'latin1'),
    );
  });

  it('takes replacements in any order', () => {
    const content = Buffer.from('abcdef');
    const replacements = [
      { start: 4, end: 5, text: 'E' },
      { start: 0, end: 1, text: '' },
      { start: 1, end: 2, text: 'BB' },
    ];
    expect(redirect(content, replacements).toString()).toBe('BBcdEf');
  });

  it.each([
    [
      [
        { start: 0, end: 2, text: '' },
        { start: 1, end: 3, text: '' },
      ],
      'bytes 1 to 3 overlap others or leave the file',
    ],
    [[{ start: 2, end: 7, text: '' }], 'bytes 2 to 7 overlap others or leave the file'],
    [[{ start: 2, end: 1, text: '' }], 'bytes 2 to 1 overlap others or leave the file'],
  ])('refuses %j', (replacements, message) => {
    expect(() => redirect(Buffer.from('abcdef'), replacements)).toThrow(new RangeError(message));
  });
});

const word = fc.constantFrom(
  'a',
  'b:1',
  'r.io/c',
  '"d"',
  "'e'",
  'f\\\ng',
  'h"i"',
  '$V',
  '${X:-j}',
  'k\\\n# no\n\nl',
  'scratch',
  's0',
  '0',
);
const gap = fc.constantFrom(' ', '\t', ' \\\n ', ' \\ \r\n# FROM no\r\n\n  ');
const instruction = fc.oneof(
  fc.tuple(gap, word).map(([space, image]) => `FROM${space}${image}`),
  fc.tuple(gap, word).map(([space, image]) => `from${space}--platform=x${space}${image}${space}as${space}s0`),
  fc
    .tuple(gap, word)
    .map(([space, image]) => `COPY${space}--link${space}--from=${image.replace(/\$.*/, 'a')}${space}x /`),
  fc
    .tuple(gap, word)
    .map(([space, image]) => `RUN${space}--mount=from=${image.replace(/\$.*/, 'a')},target=/x${space}y`),
  fc.constantFrom(
    '# FROM no',
    '',
    'RUN <<E\nFROM no\nE',
    'RUN x \\\nFROM no',
    'ENV é=\u00a0',
    'ONBUILD COPY --from=no x /',
  ),
);
const dockerfile = fc
  .tuple(
    fc.constantFrom('', '\ufeff', '# syntax=x\n'),
    fc.array(instruction, { maxLength: 8 }),
    fc.constantFrom('\n', '\r\n'),
  )
  .map(([head, body, feed]) => `${head}ARG V=v${feed}FROM base${feed}${body.join(feed)}`);

describe('any Dockerfile', () => {
  it('fails with nothing but a DockerfileSyntaxError inside the file', () => {
    const pieces = fc.constantFrom(
      'FROM',
      'COPY',
      'RUN',
      'ARG',
      '--from=',
      '--mount=',
      'from=',
      'a',
      '=',
      ',',
      '"',
      "'",
      '\\',
      '`',
      '$',
      '${',
      '}',
      ':',
      '-',
      '/',
      '#',
      '%',
      '<<',
      'EOF',
      '[',
      ' ',
      '\t',
      '\n',
      '\r\n',
      '\xff',
      '\xc2\xa0',
      '# escape=`\n',
      '\xef\xbb\xbf',
    );
    const bytes = fc.oneof(
      fc.array(pieces, { maxLength: 30 }).map((parts) => Buffer.from(`FROM a\n${parts.join('')}`, 'latin1')),
      fc.array(pieces, { maxLength: 30 }).map((parts) => Buffer.from(parts.join(''), 'latin1')),
      fc.uint8Array().map((array) => Buffer.from(array)),
    );
    fc.assert(
      fc.property(bytes, (content) => {
        try {
          findImageReferences(content, { buildArgs: {} });
        } catch (error) {
          if (!(error instanceof DockerfileSyntaxError)) throw error;
          expect(error.line).toBeLessThanOrEqual(content.toString('latin1').split('\n').length);
          expect(error.column).toBeGreaterThan(0);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('has disjoint, ascending ranges whose bytes are the operands', () => {
    fc.assert(
      fc.property(dockerfile, (text) => {
        const content = Buffer.from(text);
        const found = findImageReferences(content, { buildArgs: {} });
        expect(found.length).toBeGreaterThan(0);
        let position = 0;
        for (const { image, start, end, line } of found) {
          expect(start).toBeGreaterThanOrEqual(position);
          position = end;
          const written = content.toString('latin1', start, end);
          const plain = written
            .replace(/\\[ \t]*\r?\n(?:[ \t]*(?:#.*)?\r?\n)*/g, '')
            .replace(/["']/g, '')
            .replace('$V', 'v')
            .replace('${X:-j}', 'j');
          expect(plain).toBe(image);
          expect(line).toBe(content.toString('latin1', 0, start).split('\n').length);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('stays byte for byte the same when nothing changes, and keeps its lines when all images do', () => {
    fc.assert(
      fc.property(dockerfile, (text) => {
        const content = Buffer.from(text);
        const found = findImageReferences(content, { buildArgs: {} });
        const onOneLine = found.filter(({ start, end }) => !content.subarray(start, end).includes('\n'));
        const same = onOneLine.map(({ start, end }) => ({
          start,
          end,
          text: content.toString('utf8', start, end),
        }));
        expect(redirect(content, same).equals(content)).toBe(true);
        const changed = redirect(
          content,
          found.map(({ start, end }, index) => ({ start, end, text: `new/${String(index)}` })),
        );
        const again = findImageReferences(changed, { buildArgs: {} });
        expect(again.map(({ image }) => image)).toEqual(found.map((_, index) => `new/${String(index)}`));
        const lines = (buffer: Buffer, offset: number): number =>
          buffer.toString('latin1', 0, offset).split('\n').length;
        expect(again.map(({ end }) => lines(changed, end))).toEqual(
          found.map(({ end }) => lines(content, end)),
        );
        expect(changed.toString('latin1').split('\n').length).toBe(text.split('\n').length);
      }),
      { numRuns: 1000 },
    );
  });
});

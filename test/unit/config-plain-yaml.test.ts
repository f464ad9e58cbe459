/** Plain build files are read by a reader of their own: what it reads, the parser of all of YAML reads in the same way. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPlainYaml } from '../../src/config/plain-yaml.js';
import { SourceText } from '../../src/config/source.js';
import { parseYaml } from '../../src/config/syntax.js';
import type { YamlNode } from '../../src/config/yaml-node.js';

/** What messages can tell of a node: blocks may end somewhere behind their first line. */
function told(node: YamlNode | null, source: SourceText): unknown {
  if (node === null) return null;
  const place = source.place(node.range);
  switch (node.kind) {
    case 'scalar':
      return [node.kind, node.style, node.text, node.range];
    case 'seq':
      return [node.kind, place, node.items.map((item) => told(item, source))];
    case 'map':
      return [node.kind, place, node.items.map(({ key, value }) => [told(key, source), told(value, source)])];
    case 'alias':
      return [node.kind, node.name, place];
  }
}

function byParser(source: SourceText): unknown {
  const parsed = parseYaml(source);
  return 'root' in parsed ? told(parsed.root, source) : parsed.problems;
}

function expectSame(text: string): boolean {
  const node = readPlainYaml(text);
  if (node === undefined) return false;
  const source = new SourceText('/build.yml', text);
  expect(told(node, source)).toEqual(byParser(source));
  return true;
}

const words = [
  ...[
    'a',
    'name',
    'steps',
    '-',
    '- ',
    '- - ',
    ':',
    ': ',
    '::',
    ' ',
    '  ',
    '    ',
    '\n',
    '\n',
    '\n  ',
    '\n    ',
    '\n- ',
  ],
  ...[
    '\n  - ',
    '"',
    "'",
    '"b c"',
    "'d: e'",
    '#',
    ' # x',
    '\n# y\n',
    '[',
    ']',
    '{',
    '}',
    ', ',
    ',',
    '[a, b]',
    '{ a: b }',
  ],
  ...[
    '{ c: [d, "e"], f: {} }',
    '/x:y',
    'http://z',
    '_env(A:-b c)',
    '~',
    'null',
    '1.10',
    '-c',
    '--',
    '---',
    '...',
    '&a',
    '*a',
  ],
  ...[
    '!!str',
    '|',
    '>',
    '?',
    '? ',
    '%',
    '@',
    '`',
    '\\',
    '$X',
    '<<',
    '=',
    '\t',
    '\r\n',
    'é',
    '(',
    '+',
    'k: v',
    'k:\n',
    'k: v\n',
  ],
];

test('pieces in any order are read in the same way, or left to the parser', () => {
  const text = fc.array(fc.constantFrom(...words), { maxLength: 14 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, (pieces) => {
      expectSame(pieces);
    }),
    { numRuns: 20_000 },
  );
});

/** Texts that may need quotes, and may get none. */
const scalar = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      'v',
      'a b',
      '1.10',
      '_env(HOME)/.ssh/id_rsa',
      '/bin/app:etc',
      "'q # q'",
      '"d: d"',
      '~',
      '-c',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('x:', 'x: y', '-', '- z', 'a #b', '&a', '*a', '!t x', '|', '"\\n"', "'it''s'"),
  },
  {
    weight: 2,
    arbitrary: fc.string({ unit: fc.constantFrom(...Array.from('ab :#,[]{}\'"-.$_')), maxLength: 8 }),
  },
);
const value: fc.Memo<readonly string[]> = fc.memo((depth) => {
  const line = fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    fc
      .array(scalar, { maxLength: 3 })
      .map((items) => `{${items.map((item, i) => `k${i}: ${item}`).join(', ')}}`),
  );
  const inline = fc
    .tuple(line, fc.constantFrom('', '', '', ' # said'))
    .map(([text, end]) => [`${text}${end}`]);
  if (depth <= 1) return inline;
  const below = fc.array(value(depth - 1), { minLength: 1, maxLength: 3 });
  const indented = (lines: readonly string[], by: string): readonly string[] =>
    lines.map((each) => by + each);
  return fc.oneof(
    inline,
    below.map((items) => items.flatMap(([first = '', ...rest]) => [`- ${first}`, ...indented(rest, '  ')])),
    fc
      .tuple(below, fc.constantFrom('', '  ', '    '), fc.boolean())
      .map(([items, by, comment]) =>
        items.flatMap((lines, index) => [
          ...(comment ? ['# a comment', ''] : []),
          ...(lines.length === 1 && !/^- /.test(lines[0] ?? '')
            ? [`k${index}: ${lines[0] ?? ''}`]
            : [`k${index}:`, ...indented(lines, by)]),
        ]),
      ),
  );
});

test('blocks inside blocks are read in the same way, or left to the parser', () => {
  let read = 0;
  fc.assert(
    fc.property(value(4), (lines) => {
      if (expectSame(`${lines.join('\n')}\n`)) read += 1;
    }),
    { numRuns: 3_000 },
  );
  expect(read).toBeGreaterThan(200);
});

describe('build files that are not left to the parser', () => {
  test.each([
    'build:\n  version: 2016-03-14\n  steps:\n    app:\n      name: app\n',
    '# comment\nbuild:\n\n  version: "2026-11-22" # said\n  steps:\n  - app:\n    name: app:1.0\n    depends_on:\n    - other\n    - more\n',
    'build:\n  version: 2016-03-14\n  steps:\n    app:\n      name: app\n      secrets:\n        key: { type: file, value: _env(HOME)/.ssh/id }\n      artifacts: [/a, "/b c:d"]\n      command: s3cmd --key=_env(KEY) put /app s3://bucket',
  ])('%j', (text) => {
    expect(expectSame(text)).toBe(true);
  });
});

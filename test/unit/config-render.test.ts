import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError, type Diagnostic } from '../../src/config/diagnostic.js';
import { renderDiagnostic } from '../../src/config/render.js';
import { nearest } from '../../src/config/suggest.js';

function diagnostic(
  text: string,
  column: number,
  length: number,
  more: Partial<Diagnostic> = {},
): Diagnostic {
  return {
    severity: 'error',
    message: 'unknown key "artefacts" in step "builder"',
    file: '/work/build.yml',
    place: { line: 7, column, length, text },
    hint: 'did you mean "artifacts"?',
    ...more,
  };
}

function render(found: Diagnostic): string {
  return renderDiagnostic(found, { color: false, cwd: '/work' });
}

/** The part of the shown line above the carets. */
function underlined(rendered: string): string {
  const [, line = '', carets = ''] = rendered.split('\n');
  const start = carets.indexOf('^');
  return line.slice(start, carets.length);
}

test('a diagnostic is its place, the line with the culprit underlined, and what to do', () => {
  expect(render(diagnostic('    artefacts:', 5, 9))).toBe(
    [
      'build.yml:7:5: error: unknown key "artefacts" in step "builder"',
      '  7 |     artefacts:',
      '    |     ^~~~~~~~~',
      '    = did you mean "artifacts"?',
    ].join('\n'),
  );
});

test('without a place and a hint it is one line', () => {
  const bare: Diagnostic = { severity: 'warning', message: 'it is odd', file: '/elsewhere/x' };
  expect(render(bare)).toBe('/elsewhere/x: warning: it is odd');
});

test('carets stay below the culprit behind tabs, wide characters and combining ones', () => {
  expect(underlined(render(diagnostic('\tab\tkey: x', 5, 3)))).toBe('key');
  const [, line, carets] = render(diagnostic('漢字e\u0301 key', 6, 3)).split('\n');
  expect([line, carets]).toEqual(['  7 | 漢字e\u0301 key', '    |       ^~~']);
});

test('nothing in a file can steer the terminal', () => {
  const evil = '\u001b[31m\r\u0007\u009b\u202e\u200b\u2028x\ud800';
  const shown = render(diagnostic(evil, 1, 1, { message: evil, hint: evil, file: `/work/${evil}` }));
  expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cs}\u200b\u2028\u202e]/u);
  expect(shown).toContain('␛[31m␍␇');
});

test('long lines are clipped around the culprit', () => {
  const text = `${'a'.repeat(5000)}KEY${'b'.repeat(5_000_000)}`;
  const shown = render(diagnostic(text, 5001, 3));
  const [, line = ''] = shown.split('\n');
  expect(line).toMatch(/^ {2}7 \| …a+KEYb+…$/);
  expect(line.length).toBeLessThan(115);
  expect(underlined(shown)).toBe('KEY');
});

test('colours come only when asked for, whatever the streams of the process are', () => {
  const found = diagnostic('    artefacts:', 5, 9);
  const coloured = renderDiagnostic(found, { color: true, cwd: '/work' });
  expect(coloured).toContain('\u001b[31m^~~~~~~~~\u001b[39m');
  expect(stripVTControlCharacters(coloured)).toBe(render(found));
});

test('any line and place renders to lines of a bounded length with a caret', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.nat(420),
      fc.integer({ min: 1, max: 500 }),
      (text, at, length) => {
        const line = text.replaceAll('\n', ' ');
        const rendered = render(diagnostic(line, at + 1, length)).split('\n');
        expect(rendered).toHaveLength(4);
        expect(rendered[2]).toMatch(/\^~*$/);
        expect(rendered[2]?.length).toBeLessThan(120);
      },
    ),
  );
});

test('the error’s own message is the first problem and the number of others', () => {
  const one = diagnostic('    artefacts:', 5, 9);
  expect(new ConfigError([one]).message).toBe('build.yml:7:5: unknown key "artefacts" in step "builder"');
  expect(new ConfigError([one, one, one]).message).toMatch(/ \(and 2 more\)$/);
  expect(new ConfigError([one])).toMatchObject({ exitCode: 2, hint: 'did you mean "artifacts"?' });
});

test.each([
  ['artefacts', 'artifacts'],
  ['dependson', 'depends_on'],
  ['depends-on', 'depends_on'],
  ['nmae', 'name'],
  ['Name', 'name'],
  ['afterbuild', undefined],
  ['x', undefined],
  ['nothing-like-it', undefined],
  ['a'.repeat(100_000), undefined],
])('for %s the nearest known word is %s', (word, expected) => {
  expect(nearest(word, ['name', 'args', 'artifacts', 'depends_on', 'after_build_command'])).toBe(expected);
});

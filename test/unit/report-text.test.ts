import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration } from '../../src/report/duration.js';
import { toJson } from '../../src/report/json.js';
import { firstLine, sanitize } from '../../src/report/sanitize.js';
import { clip, displayWidth, pad } from '../../src/report/width.js';

/** Text made of what is dangerous on terminals as well as of anything else. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\u001b[31m',
        '\u001b]0;title\u0007',
        '\u001b',
        '\u009b2J',
        '\r',
        '\t',
        '\u202e',
        '漢',
        'e\u0301',
        '👩‍👩‍👧',
        '\ud800',
      ),
    ),
  )
  .map((parts) => parts.join(''));

describe('formatDuration', () => {
  test.each([
    [0, '0 ms'],
    [840, '840 ms'],
    [999.6, '1.0 s'],
    [12_449, '12.4 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 00 s'],
    [125_000, '2 min 05 s'],
    [3_599_600, '1 h 00 min'],
    [3_720_000, '1 h 02 min'],
    [-5, '0 ms'],
    [NaN, '0 ms'],
  ])('shows %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('sanitize', () => {
  test.each([
    ['leaves plain text alone', 'cc -o app main.c', 'cc -o app main.c'],
    ['leaves other scripts and accents alone', 'сборка 完了 é', 'сборка 完了 é'],
    ['removes colours', '\u001b[1;32mok\u001b[0m done', 'ok done'],
    ['removes cursor movements and screen erasure', '\u001b[2J\u001b[Hgone', 'gone'],
    ['removes window titles ended by BEL', '\u001b]0;owned\u0007after', 'after'],
    ['removes hyperlinks ended by ST', '\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', 'link'],
    ['removes device control strings', '\u001bP1$r0m\u001b\\after', 'after'],
    ['removes 8-bit control sequences', '\u009b31mred', 'red'],
    ['keeps what follows a control string without an end', '\u001b]0;no end', '0;no end'],
    ['shows a lone escape', 'a\u001b', 'a\u241b'],
    ['shows control characters', 'a\u0007b\u0000c\u007f', 'a\u2407b\u2400c\u2421'],
    ['shows bidi controls', 'if \u202e;)(\u2066', 'if \ufffd;)(\ufffd'],
    ['keeps the last state of a progress bar', '10%\r50%\r100%\r', '100%'],
    ['makes tabs spaces', '\tindented', '    indented'],
  ])('%s', (_name, line, harmless) => {
    expect(sanitize(line)).toBe(harmless);
  });

  test('never lets a control character through, and is done after one pass', () => {
    fc.assert(
      fc.property(hostile, (line) => {
        const harmless = sanitize(line);
        expect(harmless).not.toMatch(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
        expect(sanitize(harmless)).toBe(harmless);
      }),
    );
  });

  test('takes time in proportion to the line, also for escapes that never end', () => {
    const started = performance.now();
    sanitize('\u001b]0;'.repeat(50_000));
    sanitize('\u001b[1;'.repeat(50_000));
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('shows the first line of an instruction with a heredoc', () => {
    expect(firstLine('RUN <<EOF\nmake\nEOF')).toBe('RUN <<EOF …');
    expect(firstLine('RUN make\n')).toBe('RUN make');
  });

  test('takes no longer for a line of nothing but beginnings of control strings', () => {
    const begun = performance.now();
    expect(sanitize('\u009d'.repeat(64 * 1024))).toBe('\ufffd'.repeat(64 * 1024));
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describe('widths', () => {
  test.each([
    ['abc', 3],
    ['é', 1],
    ['e\u0301', 1],
    ['漢字', 4],
    ['한글', 4],
    ['✓ ✗ –', 5],
    ['🚀', 2],
  ])('%j takes %d columns', (text, columns) => {
    expect(displayWidth(text)).toBe(columns);
  });

  test('a text that fits stays whole', () => {
    expect(clip('make', 4)).toBe('make');
  });

  test('a text that does not fit ends in an ellipsis, wide characters never cut in half', () => {
    expect(clip('make install', 6)).toBe('make …');
    expect(clip('漢字漢字', 6)).toBe('漢字…');
    expect(clip('漢字', 0)).toBe('');
  });

  test('a clipped text is never wider than asked, and padding makes it exactly so', () => {
    fc.assert(
      fc.property(hostile.map(sanitize), fc.nat(40), (text, columns) => {
        const clipped = clip(text, columns);
        expect(displayWidth(clipped)).toBeLessThanOrEqual(columns);
        expect(displayWidth(pad(clipped, columns))).toBe(columns);
      }),
    );
  });
});

describe('toJson', () => {
  test('is harmless on a terminal and still the same value', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const json = toJson({ text });
        expect(json).not.toMatch(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
        expect(JSON.parse(json)).toEqual({ text });
      }),
    );
  });
});

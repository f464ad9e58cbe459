/** Durations of flags and build files, as they are written and read. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration, writeDuration } from '../../src/core/duration.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe('a duration', () => {
  it.each([
    ['90s', 90 * SECOND],
    ['10m', 10 * MINUTE],
    ['1h30m', 90 * MINUTE],
    ['500ms', 500],
    ['2d', 48 * HOUR],
    ['1.5h', 90 * MINUTE],
    ['0.1s', 100],
    ['0h10m', 10 * MINUTE],
    ['1m500ms', MINUTE + 500],
    ['1d2h3m4s5ms', 26 * HOUR + 3 * MINUTE + 4 * SECOND + 5],
    ['0.6ms', 1],
  ])('%s is read as %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    ['', 'nothing'],
    ['0', 'zero'],
    ['0s', 'zero'],
    ['0h0m', 'zero'],
    ['0.4ms', 'less than can be measured'],
    ['10', 'without a unit'],
    ['1h30', 'half without a unit'],
    ['-5m', 'negative'],
    ['+5m', 'with a sign'],
    ['5 m', 'with a space'],
    ['5m\n', 'with a line break'],
    ['5M', 'in capitals'],
    ['5w', 'of an unknown unit'],
    ['.5s', 'without a whole part'],
    ['5.s', 'without a fraction'],
    ['1e3s', 'with an exponent'],
    ['١s', 'in other digits'],
    ['9007199254740992ms', 'beyond what can be counted'],
    [`${'9'.repeat(400)}d`, 'beyond any number'],
  ])('%j is none: %s', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('is read back as it is written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 45 }), (ms) => {
        expect(parseDuration(writeDuration(ms))).toBe(ms);
      }),
    );
  });

  it.each([
    [10 * MINUTE, '10m'],
    [90 * SECOND, '1m30s'],
    [50 * HOUR, '2d2h'],
    [1500, '1s500ms'],
    [0, '0s'],
  ])('of %d ms is written %s', (ms, text) => {
    expect(writeDuration(ms)).toBe(text);
  });
});

/** The matcher finds what a naive search finds, however the stream is cut, and in linear time. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Needle } from '../../src/secrets/encodings.js';
import { Matcher } from '../../src/secrets/matcher.js';

function needle(bytes: Buffer | string, encoding = 'plain'): Needle {
  return { secret: 'token', encoding, bytes: Buffer.from(bytes) };
}

/** Ends of all matches, by needle. */
function ends(matcher: Matcher, chunks: readonly Buffer[]): number[][] {
  const found = matcher.patterns.map((): number[] => []);
  const search = matcher.start(({ needle: which, end }) => {
    found[matcher.patterns.findIndex((pattern) => pattern.needle === which)]?.push(end);
  });
  for (const chunk of chunks) {
    // A copy that is wiped afterwards: nothing of a chunk may be kept.
    const copy = Buffer.from(chunk);
    search.feed(copy);
    copy.fill(0xee);
  }
  return found.map((list) => list.sort((a, b) => a - b));
}

function naive(needles: readonly Needle[], text: Buffer): number[][] {
  return needles.map(({ bytes }) => {
    const found: number[] = [];
    for (let at = text.indexOf(bytes); at !== -1; at = text.indexOf(bytes, at + 1))
      found.push(at + bytes.length);
    return found;
  });
}

function cut(text: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    chunks.push(text.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

/** Of few letters, so that patterns overlap themselves and each other. */
const word = (minLength: number, maxLength: number) =>
  fc.array(fc.constantFrom(0x61, 0x62), { minLength, maxLength }).map((bytes) => Buffer.from(bytes));
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });

describe('the matcher', () => {
  test('agrees with a naive search on texts that repeat themselves, however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(word(3, 12), { minLength: 1, maxLength: 5 }),
        word(0, 300),
        lengths,
        (patterns, text, cuts) => {
          const needles = patterns.map((bytes) => needle(bytes));
          expect(ends(new Matcher(needles), cut(text, cuts))).toEqual(naive(needles, text));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('finds a pattern planted anywhere in random bytes, however they are cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 8, maxLength: 200 }),
        fc.uint8Array({ maxLength: 400 }),
        fc.uint8Array({ maxLength: 400 }),
        lengths,
        (pattern, before, after, cuts) => {
          const text = Buffer.concat([before, pattern, after]);
          const found: number[] = [];
          const search = new Matcher([needle(Buffer.from(pattern)), needle('something else')]).start(
            ({ start }) => found.push(start),
          );
          for (const chunk of cut(text, cuts)) search.feed(chunk);
          expect(found).toContain(before.length);
        },
      ),
    );
  });

  test('finds a key of 64 kB that is cut into chunks far shorter', () => {
    const key = Buffer.from(Array.from({ length: 1 << 16 }, (_, i) => (i * 7919) >> 3));
    const text = Buffer.concat([Buffer.from('before'), key, Buffer.from('after')]);
    expect(ends(new Matcher([needle(key)]), cut(text, [1000]))).toEqual([[6 + key.length]]);
  });

  test('does not mind line breaks in what programs wrap', () => {
    const wrapped = Buffer.from('Zm9vYmFyYmF6\r\ncXV4\nc2VjcmV0');
    const pattern = 'Zm9vYmFyYmF6cXV4c2VjcmV0';
    expect(new Matcher([needle(pattern, 'base64')]).find(wrapped)).toMatchObject([
      { start: 0, end: wrapped.length },
    ]);
    expect(new Matcher([needle(pattern, 'plain')]).find(wrapped)).toEqual([]);
  });

  test('takes no longer where secret and content are the same byte over and over, but for one', () => {
    const zeros = Buffer.alloc(1 << 16);
    const pattern = Buffer.concat([zeros, Buffer.from('x')]);
    // A search that starts anew at each byte would take 2^37 steps.
    const content = Buffer.concat(
      Array.from({ length: 32 }, () => [zeros.subarray(1), Buffer.from('x')]).flat(),
    );
    expect(ends(new Matcher([needle(pattern)]), [content, zeros, pattern])).toEqual([
      [content.length + zeros.length + pattern.length],
    ]);
  });

  test('finds nothing where there is nothing to look for', () => {
    expect(new Matcher([]).find(Buffer.alloc(1000))).toEqual([]);
  });
});

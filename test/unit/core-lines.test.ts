/** How bytes become lines. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter } from '../../src/core/lines.js';

function split(...chunks: readonly Buffer[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return lines;
}

describe('the line splitter', () => {
  it('takes off line breaks of both kinds and keeps empty lines and a last line without one', () => {
    expect(split(Buffer.from('a\r\n\nb\nc'))).toEqual(['a', '', 'b', 'c']);
  });

  it('passes a line without end on in pieces of 64 KiB instead of keeping it', () => {
    expect(split(Buffer.alloc(150 * 1024, 'x')).map(({ length }) => length)).toEqual([65536, 65536, 22528]);
  });

  it('gives the same lines wherever the chunks are cut, also within a character', () => {
    const text = fc
      .array(fc.constantFrom('a', 'é', '✓', '🚢', '\n', '\r\n', ' '))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(60)), (whole, cuts) => {
        const bytes = Buffer.from(whole);
        const places = [
          0,
          ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b),
          bytes.length,
        ];
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        expect(split(...chunks)).toEqual(split(bytes));
      }),
    );
  });
});

/** Shows a line of a file without what must not be seen in it. */
import type { Place } from './diagnostic.js';
import type { Range, SourceText } from './source.js';

const MASK = '***';

/**
 * The place of a range, in a line with a mask for every hidden range and every hidden text; its `mark` moves with what lies before it.
 * @param hidden ranges of the file, on any line
 */
export function maskedPlace(
  source: SourceText,
  range: Range,
  hidden: readonly Range[],
  texts: readonly string[],
): Place {
  const place = source.place(range);
  const lineStart = range[0] - (place.column - 1);
  const ranges = [
    ...hidden.map(([start, end]): Range => [start - lineStart, end - lineStart]),
    ...texts.flatMap((text) => occurrences(place.text, text)),
  ];
  const merged = union(ranges, place.text.length);
  const shift = (at: number): number => {
    let shown = at;
    for (const [start, end] of merged) {
      if (at >= end) shown += MASK.length - (end - start);
      else if (at > start) shown += start - at;
    }
    return shown;
  };
  const from = place.column - 1;
  const to = from + place.length;
  const mark = shift(from) + 1;
  const endsInside = merged.some(([start, end]) => start < to && to < end);
  const end = shift(to) + (endsInside ? MASK.length : 0);
  return { ...place, text: replaced(place.text, merged), mark, length: Math.max(1, end + 1 - mark) };
}

function occurrences(line: string, text: string): readonly Range[] {
  const found: Range[] = [];
  for (let at = line.indexOf(text); at !== -1; at = line.indexOf(text, at + 1))
    found.push([at, at + text.length]);
  return found;
}

/** Disjoint and ascending, inside `[0, length)`. */
function union(ranges: readonly Range[], length: number): readonly Range[] {
  const merged: [number, number][] = [];
  const inside = ranges.map(([start, end]): Range => [Math.max(0, start), Math.min(length, end)]);
  for (const [start, end] of inside.toSorted((a, b) => a[0] - b[0])) {
    if (start >= end) continue;
    const last = merged.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

function replaced(text: string, ranges: readonly Range[]): string {
  let from = 0;
  const parts = ranges.map(([start, end]) => {
    const part = text.slice(from, start) + MASK;
    from = end;
    return part;
  });
  return parts.join('') + text.slice(from);
}

/** Durations as users write them: as Go does (`90s`, `10m`, `1h30m`, `1.5h`, `500ms`), and days (`2d`). */

/** What is read as a duration, to follow `takes` or `must be`. */
export const DURATION_GRAMMAR = 'a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d)';

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
type Unit = keyof typeof UNITS;

/** A number alone has no unit to tell seconds from minutes, so it is none. */
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|[dhms]))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|[dhms])/g;

/** @returns whole milliseconds from 1 to `Number.MAX_SAFE_INTEGER`; `undefined` for all that {@link DURATION_GRAMMAR} leaves out */
export function parseDuration(text: string): number | undefined {
  if (!WHOLE.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(PART)) total += Number(number) * UNITS[unit as Unit];
  const ms = Math.round(total);
  return ms >= 1 && Number.isSafeInteger(ms) ? ms : undefined;
}

/**
 * A duration as it would be written, in full: `1h30m`; the inverse of {@link parseDuration}.
 * @param ms whole milliseconds
 */
export function writeDuration(ms: number): string {
  let rest = ms;
  let text = '';
  for (const [unit, size] of Object.entries(UNITS)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === '' ? '0s' : text;
}

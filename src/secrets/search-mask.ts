/** Makes texts that may hold a secret fit to be shown. */
import type { Matcher } from './matcher.js';

const MASK = '***';

/** Every secret in it, in whatever encoding, becomes `***`. */
export function maskText(text: string, matcher: Matcher): string {
  const bytes = Buffer.from(text);
  const ranges = matcher.find(bytes).sort((a, b) => a.start - b.start);
  if (ranges.length === 0) return text;
  const parts: Buffer[] = [];
  let at = 0;
  for (const { start, end } of ranges) {
    if (start >= at) parts.push(bytes.subarray(at, start), Buffer.from(MASK));
    at = Math.max(at, end);
  }
  return Buffer.concat([...parts, bytes.subarray(at)]).toString();
}

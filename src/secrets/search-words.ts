/** What was not looked into, in words. */
import type { Unsearched } from './search-report.js';

/** Without a final period. */
export function describeUnsearched({ within, reason }: Unsearched): string {
  return within.length === 0
    ? `not searched whole: ${reason}`
    : `${within.join(' › ')} not searched: ${reason}`;
}

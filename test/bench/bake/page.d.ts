/** Types of page.js. */
import type { Results } from './results.js';

export function page(results: Results): string;

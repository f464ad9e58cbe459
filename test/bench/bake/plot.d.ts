/** Types of plot.js. */
import type { BuildCase } from './results.js';

export function plot(cases: readonly BuildCase[]): string;

/** Types of statistics.js. */
import type { Run } from './results.js';

export function median(values: readonly number[]): number;
export function summarize(runs: readonly Run[]): Run & { runs: number; least: number; most: number };
export function compare(
  ours: readonly Run[],
  theirs: readonly Run[],
): { ratio: number; least: number; most: number };
export function seconds(value: number): string;

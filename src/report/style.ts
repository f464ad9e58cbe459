/** The few marks and colours of all displays. */
import { styleText } from 'node:util';
import type { StepStatus } from '../core/events.js';

export type Tone = 'good' | 'bad' | 'warning' | 'active' | 'quiet' | 'strong';

/** Paints text; with colour off it gives the text as it is. Control sequences only ever come from here. */
export type Paint = (tone: Tone, text: string) => string;

const FORMATS = {
  good: 'green',
  bad: 'red',
  warning: 'yellow',
  active: 'cyan',
  quiet: 'dim',
  strong: 'bold',
} as const;

export function createPaint(color: boolean): Paint {
  if (!color) return (_tone, text) => text;
  // Whether to colour is decided by the caller; Node must not look at standard output once more.
  return (tone, text) => (text === '' ? '' : styleText(FORMATS[tone], text, { validateStream: false }));
}

export const MARKS = {
  succeeded: { symbol: '✓', tone: 'good' },
  unchanged: { symbol: '✓', tone: 'quiet' },
  failed: { symbol: '✗', tone: 'bad' },
  cancelled: { symbol: '–', tone: 'warning' },
  skipped: { symbol: '–', tone: 'quiet' },
  waiting: { symbol: '·', tone: 'quiet' },
} as const satisfies Record<StepStatus | 'waiting', { symbol: string; tone: Tone }>;

/** As `docker images` shows it: twelve digits without the algorithm. */
export function shortId(imageId: string): string {
  return Array.from(imageId.replace(/^sha256:/, '').slice(0, 24))
    .slice(0, 12)
    .join('');
}

/** `1 step`, `3 steps`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

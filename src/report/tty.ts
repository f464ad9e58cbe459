/** The live view: repaints one picture in place, at most ten times a second, with cursor movements only. */
import { renderFrame, type FrameLine } from './frame.js';
import { noticeText } from './plain.js';
import { LiveView } from './reduce.js';
import type { Reporter, ReporterOptions } from './reporter.js';
import { createPaint } from './style.js';
import { summarize } from './summary.js';
import { describeBuild } from './words.js';

/** Control sequences of ECMA-48 that every terminal knows. */
const CURSOR = {
  hide: '\u001b[?25l',
  show: '\u001b[?25h',
  up: (rows: number): string => (rows === 0 ? '\r' : `\r\u001b[${rows}A`),
  clearLine: '\u001b[2K',
  clearBelow: '\u001b[J',
} as const;

const REPAINT_MS = 100;

export function createTtyReporter(options: Omit<ReporterOptions, 'kind' | 'suppress'>): Reporter {
  const { stream, now = Date.now } = options;
  const paint = createPaint(options.color);
  const view = new LiveView();
  let painted: readonly FrameLine[] = [];
  /** Lines that stay, still to be written above the picture. */
  let above: string[] = [];
  let tick = 0;
  let timer: NodeJS.Timeout | undefined;

  const size = () => ({ columns: stream.columns ?? 80, rows: stream.rows ?? 24 });

  /** To the top of the last picture. A terminal made narrower since has wrapped its lines. */
  const rewind = (): string => {
    const { columns } = size();
    return CURSOR.up(painted.reduce((rows, { width }) => rows + Math.max(1, Math.ceil(width / columns)), 0));
  };

  const repaint = (): void => {
    const frame = renderFrame(view, size(), { now: now(), tick: tick++ }, paint);
    const lines = [...above, ...frame.map(({ text }) => text)];
    stream.write(
      `${rewind()}${lines.map((line) => `${CURSOR.clearLine}${line}\n`).join('')}${CURSOR.clearBelow}`,
    );
    painted = frame;
    above = [];
  };

  const showCursor = (): void => {
    stream.write(CURSOR.show);
  };

  const start = (): void => {
    if (timer !== undefined) return;
    stream.write(CURSOR.hide);
    // Whatever ends the process, the user's cursor comes back.
    process.once('exit', showCursor);
    timer = setInterval(repaint, REPAINT_MS).unref();
  };

  const stop = (): void => {
    if (timer === undefined) return;
    clearInterval(timer);
    timer = undefined;
    process.off('exit', showCursor);
    showCursor();
  };

  return {
    emit(event) {
      view.add(event);
      if (event.type === 'build-started' && view.build !== undefined) {
        above.push(paint('quiet', describeBuild(view.build, event.steps.length)));
        start();
      }
      if (event.type === 'notice') {
        above.push(noticeText(event, view, paint));
        if (timer === undefined) stream.write(`${above.splice(0).join('\n')}\n`);
      }
    },
    finish(result) {
      const lines = [...above.splice(0), '', ...summarize(result, view, paint)];
      stream.write(`${rewind()}${CURSOR.clearBelow}${lines.join('\n')}\n`);
      painted = [];
      stop();
    },
    close() {
      // A build that broke off leaves its last picture.
      if (timer !== undefined) repaint();
      stop();
    },
  };
}

/** One picture of the live view: a line a step and a line of counts, cut to the size of the terminal. Pure. */
import { formatDuration } from './duration.js';
import { firstLine, sanitize } from './sanitize.js';
import { MARKS, type Paint, type Tone } from './style.js';
import { countSteps, type StepView, type View } from './view.js';
import { clip, displayWidth, pad } from './width.js';
import { describePhase } from './words.js';

export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
}

export interface FrameTime {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Grows by one with each picture; turns the spinner. */
  readonly tick: number;
}

/** A line as it goes out, and the columns it takes. */
export interface FrameLine {
  readonly text: string;
  readonly width: number;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;

/** Fits `2 min 05 s`, so that the column keeps still while times grow. */
const TIME_COLUMNS = 10;

/** At most `rows - 1` lines, each narrower than `columns`, for the cursor stands on the line below. */
export function renderFrame(
  view: View,
  size: FrameSize,
  time: FrameTime,
  paint: Paint,
): readonly FrameLine[] {
  const steps = [...view.steps.values()];
  const room = Math.max(0, size.rows - 2);
  const shown = steps.length <= room ? steps : pick(steps, Math.max(0, room - 1));
  const widest = Math.max(0, ...steps.map(({ label }) => displayWidth(sanitize(label))));
  const labels = Math.min(widest, Math.max(8, Math.floor(size.columns / 3)));
  const lines = shown.map((step) => stepCells(step, view, labels, time));
  const hidden = steps.length - shown.length;
  if (hidden > 0 && room > 0) lines.push([['quiet', `  … ${hidden} more`]]);
  lines.push(countCells(view, time.now));
  return lines.slice(-Math.max(1, size.rows - 1)).map((cells) => fit(cells, size.columns - 1, paint));
}

type Cell = readonly [tone: Tone | undefined, text: string];

/** Those that matter most now: at work, failed, about to begin, then the latest done; in the order of the plan. */
function pick(steps: readonly StepView[], room: number): readonly StepView[] {
  const rank = ({ progress }: StepView): number => {
    if (progress.state === 'working') return 0;
    if (progress.state === 'waiting') return 2;
    return progress.status === 'failed' ? 1 : 3;
  };
  const ranked = steps
    .map((step, index) => ({ step, index, rank: rank(step) }))
    .sort((a, b) => a.rank - b.rank || (a.rank === 3 ? b.index - a.index : a.index - b.index));
  const chosen = new Set(ranked.slice(0, room).map(({ step }) => step));
  return steps.filter((step) => chosen.has(step));
}

function stepCells(step: StepView, view: View, labels: number, time: FrameTime): Cell[] {
  const label = pad(clip(sanitize(step.label), labels), labels);
  const cells = (mark: Cell, ms: number | undefined, detail: Cell): Cell[] => [
    mark,
    [undefined, ` ${label}  ${(ms === undefined ? '' : formatDuration(ms)).padStart(TIME_COLUMNS)}  `],
    detail,
  ];
  const { progress } = step;
  switch (progress.state) {
    case 'waiting':
      return cells([MARKS.waiting.tone, MARKS.waiting.symbol], undefined, ['quiet', waitingFor(step, view)]);
    case 'working': {
      const instruction = progress.instructions.at(-1);
      const doing =
        progress.phase === 'build' && instruction !== undefined
          ? firstLine(instruction.text)
          : describePhase(progress.phase, progress.detail);
      const spinner = SPINNER[time.tick % SPINNER.length] ?? SPINNER[0];
      return cells(['active', spinner], tenths(time.now - progress.startedAt), [undefined, doing]);
    }
    case 'finished': {
      const { symbol, tone } = MARKS[progress.status];
      const ms = progress.status === 'skipped' ? undefined : progress.durationMs;
      return cells([tone, symbol], ms, finishedCell(step, progress));
    }
  }
}

function finishedCell(step: StepView, progress: Extract<StepView['progress'], { state: 'finished' }>): Cell {
  const why = progress.reason === undefined ? '' : `: ${firstLine(progress.reason)}`;
  switch (progress.status) {
    case 'succeeded': {
      const { finished, cached } = step.instructions;
      if (cached === 0) return ['quiet', 'built'];
      return [
        'quiet',
        cached === finished ? 'built, all from cache' : `built, ${cached} of ${finished} from cache`,
      ];
    }
    case 'unchanged':
      return ['quiet', 'unchanged'];
    case 'failed':
      return ['bad', progress.failure === undefined ? 'failed' : firstLine(progress.failure.message)];
    case 'cancelled':
      return ['warning', `cancelled${why}`];
    case 'skipped':
      return ['quiet', `not run${why}`];
  }
}

function waitingFor(step: StepView, view: View): string {
  const open = step.dependsOn.filter((label) => view.steps.get(label)?.progress.state !== 'finished');
  return open.length === 0 ? 'waiting for its turn' : `waiting for ${open.map(sanitize).join(', ')}`;
}

function countCells(view: View, now: number): Cell[] {
  const counts = countSteps(view);
  const done = view.steps.size - counts.waiting - counts.working;
  const elapsed =
    view.outcome?.durationMs ?? (view.build === undefined ? 0 : tenths(now - view.build.startedAt));
  const tail = [
    ...(counts.working > 0 ? [`${counts.working} working`] : []),
    ...(counts.waiting > 0 ? [`${counts.waiting} waiting`] : []),
    formatDuration(elapsed),
  ];
  return [
    ['strong', `${done} of ${view.steps.size} done`],
    ...(counts.failed > 0 ? ([['bad', ` · ${counts.failed} failed`]] as const) : []),
    ['quiet', ` · ${tail.join(' · ')}`],
  ];
}

/** Running clocks show tenths of a second: the last digits would only flicker. */
function tenths(ms: number): number {
  return Math.floor(ms / 100) * 100;
}

/** Cut before painting: control sequences have no width. */
function fit(cells: readonly Cell[], columns: number, paint: Paint): FrameLine {
  let text = '';
  let width = 0;
  for (const [tone, cell] of cells) {
    const part = clip(cell, columns - width);
    text += tone === undefined ? part : paint(tone, part);
    width += displayWidth(part);
    if (part !== cell) break;
  }
  return { text, width };
}

/** Progress as a log: one line for each thing, the step's label before it. Made for CI. */
import type { BuildEvent, InstructionEvent } from '../core/events.js';
import { formatBytes } from './bytes.js';
import { formatDuration } from './duration.js';
import { LiveView } from './reduce.js';
import type { Reporter, ReporterOptions } from './reporter.js';
import { firstLine, sanitize } from './sanitize.js';
import { MARKS, createPaint, plural, shortId, type Paint } from './style.js';
import { summarize } from './summary.js';
import type { View } from './view.js';
import { clip, displayWidth, pad } from './width.js';
import { describeBuild, describePhase } from './words.js';

export function createPlainReporter({
  stream,
  color,
  suppress,
}: Pick<ReporterOptions, 'stream' | 'color' | 'suppress'>): Reporter {
  const paint = createPaint(color);
  const view = new LiveView();
  return {
    emit(event) {
      view.add(event);
      if (suppress && event.type === 'output') return;
      const text = plainLine(event, view, paint);
      if (text !== undefined) stream.write(`${text}\n`);
    },
    finish(result) {
      stream.write(`\n${summarize(result, view, paint).join('\n')}\n`);
    },
    close() {
      // Nothing is held.
    },
  };
}

/** The line that tells one event, or `undefined` where another event or the summary tells it better. */
export function plainLine(event: BuildEvent, view: View, paint: Paint): string | undefined {
  const ofStep = (step: string, text: string): string => `${paint('quiet', prefix(step, view))}${text}`;
  switch (event.type) {
    case 'build-started':
      return view.build === undefined ? undefined : `${describeBuild(view.build, event.steps.length)}\n`;
    case 'step-started':
      return ofStep(event.step, 'started');
    case 'phase-started':
      // `started` and the instructions have told as much.
      if (event.detail === undefined && event.phase === 'build') return undefined;
      return ofStep(event.step, describePhase(event.phase, event.detail));
    case 'instruction':
      return instructionIsNews(event.instruction)
        ? ofStep(event.step, instructionText(event.instruction, paint))
        : undefined;
    case 'output':
      return ofStep(event.step, `  ${sanitize(event.line)}`).trimEnd();
    case 'squashed':
      return ofStep(event.step, squashedText(event));
    case 'step-finished':
      return ofStep(event.step, finishedText(event, paint));
    case 'notice':
      return noticeText(event, view, paint);
    case 'proof-started':
      return `searching ${plural(event.images, 'image')} for secrets`;
    case 'proof-finished':
    case 'promoted':
    case 'build-finished':
      return undefined;
  }
}

/** Longer labels are cut: they would push all else out of sight. */
const LABEL_COLUMNS = 40;

function prefix(step: string, view: View): string {
  return `${pad(clip(harmlessLabel(step), LABEL_COLUMNS), columnsOf(view))} | `;
}

/** By what stays the same from event to event of one build. */
const KNOWN = new WeakMap<NonNullable<View['build']>, { readonly steps: number; readonly columns: number }>();

/** Counted once a build: with a thousand steps it takes longer than writing the line. */
function columnsOf({ build, steps }: View): number {
  const known = build === undefined ? undefined : KNOWN.get(build);
  if (known?.steps === steps.size) return known.columns;
  const widths = [...steps.keys()].map((label) => displayWidth(harmlessLabel(label)));
  const columns = Math.min(
    LABEL_COLUMNS,
    widths.reduce((most, width) => Math.max(most, width), 0),
  );
  if (build !== undefined) KNOWN.set(build, { steps: steps.size, columns });
  return columns;
}

/** Of a label of a megabyte, only the beginning is looked at. */
function harmlessLabel(label: string): string {
  return sanitize(label.slice(0, 10 * LABEL_COLUMNS));
}

/** From here on a log should say how long an instruction took, in milliseconds. */
const WORTH_TELLING_MS = 1000;

/** The builder's own chores and the quick end of an instruction would only double the log. */
function instructionIsNews(instruction: InstructionEvent): boolean {
  switch (instruction.state) {
    case 'started':
      return !instruction.text.startsWith('[internal]');
    case 'finished':
      return instruction.cached || instruction.durationMs >= WORTH_TELLING_MS;
    case 'failed':
      return true;
  }
}

function instructionText(instruction: InstructionEvent, paint: Paint): string {
  const text = firstLine(instruction.text);
  switch (instruction.state) {
    case 'started':
      return paint('strong', text);
    case 'finished':
      return `${text} · ${paint('quiet', instruction.cached ? 'cached' : formatDuration(instruction.durationMs))}`;
    case 'failed':
      return paint('bad', `${text} · failed after ${formatDuration(instruction.durationMs)}`);
  }
}

function squashedText(event: Extract<BuildEvent, { type: 'squashed' }>): string {
  const layers = `${plural(event.layersBefore, 'layer')} → ${event.layersAfter}`;
  const bytes = `${formatBytes(event.bytesBefore)} → ${formatBytes(event.bytesAfter)} above the base`;
  return `squashed: ${layers}, ${bytes}, ${plural(event.pathsRemoved, 'path')} removed`;
}

function finishedText(event: Extract<BuildEvent, { type: 'step-finished' }>, paint: Paint): string {
  const { symbol, tone } = MARKS[event.status];
  const time = formatDuration(event.durationMs);
  const why = event.reason === undefined ? '' : `: ${firstLine(event.reason)}`;
  switch (event.status) {
    case 'succeeded': {
      const image = event.imageId === undefined ? '' : ` · ${shortId(sanitize(event.imageId))}`;
      return `${paint(tone, `${symbol} built in ${time}`)}${paint('quiet', image)}`;
    }
    case 'unchanged':
      return paint(tone, `${symbol} unchanged`);
    case 'failed': {
      const message = event.failure === undefined ? '' : `: ${firstLine(event.failure.message)}`;
      return `${paint(tone, `${symbol} failed after ${time}`)}${message}`;
    }
    case 'cancelled':
      return `${paint(tone, `${symbol} cancelled after ${time}`)}${why}`;
    case 'skipped':
      return paint(tone, `${symbol} not run${why}`);
  }
}

/** A notice as every display for people shows it. */
export function noticeText(event: Extract<BuildEvent, { type: 'notice' }>, view: View, paint: Paint): string {
  const message = firstLine(event.message);
  const text = event.level === 'warning' ? `${paint('warning', 'warning:')} ${message}` : `note: ${message}`;
  return event.step === undefined ? text : `${paint('quiet', prefix(event.step, view))}${text}`;
}

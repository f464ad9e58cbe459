/** The last words on a build: a table of its steps, each failure in full, and one line that says it all. */
import type { BuildResult, StepResult } from '../core/api.js';
import type { StepStatus } from '../core/events.js';
import { formatDuration } from './duration.js';
import { proofBlock } from './proof.js';
import { firstLine, sanitize } from './sanitize.js';
import { MARKS, plural, shortId, type Paint } from './style.js';
import type { View } from './view.js';
import { displayWidth, pad } from './width.js';

/** Lines without line breaks. The view adds the output of failures that came without any. */
export function summarize(result: BuildResult, view: View, paint: Paint): readonly string[] {
  const failed = result.steps.filter((step) => step.status === 'failed');
  return [
    ...table(result.steps, paint),
    ...failed.flatMap((step) => ['', ...failureBlock(step, view, paint)]),
    ...(result.proof === undefined ? [] : ['', ...proofBlock(result.proof, paint)]),
    '',
    ...verdict(result, paint),
  ];
}

function table(steps: readonly StepResult[], paint: Paint): readonly string[] {
  const rows = steps.map((step) => ({
    step,
    label: sanitize(step.label),
    time: timeOf(step),
    fate: fateOf(step),
  }));
  const widthOf = (cells: readonly string[]): number => Math.max(0, ...cells.map(displayWidth));
  const labels = widthOf(rows.map(({ label }) => label));
  const times = widthOf(rows.map(({ time }) => time));
  const names = widthOf(rows.filter(({ step }) => idOf(step) !== '').map(({ fate }) => fate));
  return rows.map(({ step, label, time, fate }) => {
    const { symbol, tone } = MARKS[step.status];
    const id = idOf(step);
    const text = id === '' ? fate : pad(fate, names);
    return [
      paint(tone, symbol),
      pad(label, labels),
      time.padStart(times),
      step.names.length === 0 ? paint('quiet', text) : text,
      paint('quiet', id),
    ]
      .join('  ')
      .trimEnd();
  });
}

function timeOf({ status, durationMs }: StepResult): string {
  if (status === 'unchanged') return 'unchanged';
  return status === 'skipped' ? '' : formatDuration(durationMs);
}

/** The ID of an image that can be found by it: one that has a name. */
function idOf(step: StepResult): string {
  return step.imageId === undefined || step.names.length === 0 ? '' : shortId(sanitize(step.imageId));
}

/** What became of a step: the names of its image, or why there are none. */
function fateOf(step: StepResult): string {
  const why = step.reason === undefined ? '' : `: ${firstLine(step.reason)}`;
  switch (step.status) {
    case 'unchanged':
    case 'succeeded':
      return step.names.length === 0 ? `not kept${why}` : step.names.map(sanitize).join(', ');
    case 'failed':
      return 'failed';
    case 'cancelled':
      return `cancelled${why}`;
    case 'skipped':
      return `not run${why}`;
  }
}

/** Step, instruction, exit code, last lines of output and what to do next. */
export function failureBlock(step: StepResult, view: View, paint: Paint): readonly string[] {
  const { failure } = step;
  const heading = `${MARKS.failed.symbol} ${sanitize(step.label)} failed`;
  if (failure === undefined) return [paint('bad', heading)];
  const output = failure.output.length > 0 ? failure.output : (view.steps.get(step.label)?.tail ?? []);
  return [
    `${paint('bad', heading)}: ${firstLine(failure.message)}`,
    ...(failure.instruction === undefined ? [] : [`  instruction  ${firstLine(failure.instruction)}`]),
    ...(failure.exitCode === undefined ? [] : [`  exit code    ${failure.exitCode}`]),
    ...(output.length === 0 ? [] : ['  last output']),
    ...output.map((line) => `    ${paint('quiet', '│')} ${sanitize(line)}`.trimEnd()),
    ...(failure.hint === undefined ? [] : [`  ${paint('strong', '→')} ${sanitize(failure.hint)}`]),
  ];
}

const COUNTED: readonly (readonly [StepStatus, string])[] = [
  ['failed', 'failed'],
  ['cancelled', 'cancelled'],
  ['skipped', 'not run'],
  ['succeeded', 'built'],
  ['unchanged', 'unchanged'],
];

function verdict(result: BuildResult, paint: Paint): readonly string[] {
  const time = formatDuration(result.durationMs);
  const session = paint('quiet', `(session ${sanitize(result.session)})`);
  const count = (status: StepStatus): number => result.steps.filter((step) => step.status === status).length;
  if (result.status === 'succeeded') {
    const [built, unchanged] = [count('succeeded'), count('unchanged')];
    const done =
      built === 0 && unchanged > 0
        ? `nothing to build, ${plural(unchanged, 'step')} unchanged, in ${time}`
        : `built ${plural(built, 'image')}${unchanged === 0 ? '' : `, ${unchanged} unchanged,`} in ${time}`;
    return [`${paint('good', `${MARKS.succeeded.symbol} ${done}`)} ${session}`];
  }
  const parts = COUNTED.flatMap(([status, word]) => (count(status) === 0 ? [] : `${count(status)} ${word}`));
  const heading = `${MARKS.failed.symbol} build ${result.status} after ${time}`;
  const named = result.steps.some((step) => step.names.length > 0);
  return [
    `${paint('bad', heading)}${parts.length === 0 ? '' : `: ${parts.join(', ')}`} ${session}`,
    ...(result.status === 'failed' && result.reason !== undefined
      ? [`  It was stopped: ${firstLine(result.reason)}.`]
      : []),
    ...(named ? [] : [paint('quiet', '  No image got its name; earlier images keep theirs.')]),
  ];
}

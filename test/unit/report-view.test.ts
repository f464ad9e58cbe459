import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BuildEvent, StepPhase, StepStatus } from '../../src/core/events.js';
import { renderFrame } from '../../src/report/frame.js';
import { plainLine } from '../../src/report/plain.js';
import { LiveView } from '../../src/report/reduce.js';
import { createPaint } from '../../src/report/style.js';
import { TAIL_LINES, TAIL_LINE_LENGTH, countSteps, type View } from '../../src/report/view.js';

const PHASES: StepPhase[] = ['build', 'cleanup', 'artifacts', 'command', 'after_build_command'];
const STATUSES: StepStatus[] = ['succeeded', 'failed', 'cancelled', 'skipped'];

const text = fc.string({ unit: 'binary', maxLength: 2000 });
const label = fc.constantFrom('compile', 'api', 'web', '__proto__', 'пакет', '\u001b[2J');
const time = fc.record({ at: fc.nat(), durationMs: fc.nat() });

const anyEvent: fc.Arbitrary<BuildEvent> = fc
  .tuple(time, label, label, text, fc.constantFrom(...PHASES), fc.constantFrom(...STATUSES), fc.nat(11))
  .map(([{ at, durationMs }, step, other, line, phase, status, kind]): BuildEvent => {
    const failure = { message: line, output: [line] };
    switch (kind) {
      case 0:
        return {
          at,
          type: 'build-started',
          session: line,
          engine: line,
          builder: 'classic',
          jobs: durationMs,
          steps: [
            { label: step, dependsOn: [other] },
            { label: other, dependsOn: [] },
          ],
        };
      case 1:
        return { at, type: 'step-started', step };
      case 2:
        return { at, type: 'phase-started', step, phase, detail: line };
      case 3:
        return { at, type: 'phase-started', step, phase };
      case 4:
        return { at, type: 'instruction', step, instruction: { state: 'started', id: line, text: line } };
      case 5: {
        const instruction = {
          state: 'finished',
          id: line,
          text: line,
          cached: at % 2 === 0,
          durationMs,
        } as const;
        return { at, type: 'instruction', step, instruction };
      }
      case 6:
        return {
          at,
          type: 'instruction',
          step,
          instruction: { state: 'failed', id: '', text: line, durationMs },
        };
      case 7:
        return { at, type: 'output', step, phase, stream: 'stdout', line };
      case 8:
        return { at, type: 'step-finished', step, status, durationMs, failure, reason: line };
      case 9:
        return { at, type: 'promoted', names: [{ step, name: line, imageId: line }] };
      case 10:
        return { at, type: 'notice', level: 'warning', step, message: line };
      default:
        return { at, type: 'build-finished', status: 'failed', durationMs };
    }
  });

function fold(events: readonly BuildEvent[], view = new LiveView()): LiveView {
  for (const event of events) view.add(event);
  return view;
}

const started: BuildEvent = {
  at: 1000,
  type: 'build-started',
  session: '1k3m9q2abcde',
  engine: 'Docker 28.5.2',
  builder: 'buildkit',
  jobs: 2,
  steps: [
    { label: 'compile', dependsOn: [] },
    { label: 'api', dependsOn: ['compile'] },
  ],
};
const paint = createPaint(false);

describe('the view', () => {
  test('takes events in any order, and every display shows the result', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
        const view = new LiveView();
        for (const event of events) {
          view.add(event);
          expect(plainLine(event, view, paint)?.replaceAll('\n', '') ?? '').not.toMatch(/\p{Cc}/u);
        }
        const counts = Object.values(countSteps(view)).reduce((sum, count) => sum + count, 0);
        expect(counts).toBe(view.steps.size);
      }),
    );
  });

  test('leaves the steps that it gave out as they were', () => {
    const view = fold([started]);
    const before = view.steps.get('compile');
    const copy = structuredClone(before);
    fold([{ at: 2000, type: 'step-started', step: 'compile' }], view);
    expect(before).toEqual(copy);
    expect(view.steps.get('compile')).not.toEqual(copy);
  });

  test('holds a bounded number of lines and characters of output', () => {
    const line = 'x'.repeat(64 * 1024);
    const view = fold([started]);
    for (let i = 0; i < 100; i++) {
      view.add({ at: i, type: 'output', step: 'api', phase: 'build', stream: 'stdout', line });
      view.add({
        at: i,
        type: 'instruction',
        step: 'api',
        instruction: { state: 'started', id: String(i), text: 'RUN make' },
      });
    }
    const api = view.steps.get('api');
    expect(api?.tail.map(({ length }) => length)).toEqual(Array(TAIL_LINES).fill(TAIL_LINE_LENGTH));
    expect(api?.progress).toMatchObject({ state: 'working' });
    expect(JSON.stringify(api).length).toBeLessThan(10_000);
  });

  test('knows the phase, the instructions in work and how many came from the cache', () => {
    const at = 2000;
    const step = 'compile';
    const view = fold([
      started,
      { at, type: 'step-started', step },
      { at, type: 'phase-started', step, phase: 'build' },
      { at, type: 'instruction', step, instruction: { state: 'started', id: 'a', text: 'FROM debian' } },
      { at, type: 'instruction', step, instruction: { state: 'started', id: 'b', text: 'RUN make' } },
      {
        at,
        type: 'instruction',
        step,
        instruction: { state: 'finished', id: 'a', text: 'FROM debian', cached: true, durationMs: 0 },
      },
    ]);
    expect(view.steps.get(step)).toMatchObject({
      progress: {
        state: 'working',
        startedAt: 2000,
        phase: 'build',
        instructions: [{ id: 'b', text: 'RUN make' }],
      },
      instructions: { finished: 1, cached: 1 },
    });
  });

  test('a step that has finished stays finished', () => {
    const at = 2000;
    const view = fold([
      started,
      { at, type: 'step-finished', step: 'api', status: 'succeeded', durationMs: 5 },
      { at, type: 'step-started', step: 'api' },
      { at, type: 'phase-started', step: 'api', phase: 'command' },
    ]);
    expect(view.steps.get('api')?.progress).toMatchObject({ state: 'finished', status: 'succeeded' });
  });

  test('steps that spoke before the build was announced take their place in the plan', () => {
    const view = fold([{ at: 1, type: 'step-started', step: 'api' }, started]);
    expect([...view.steps.keys()]).toEqual(['compile', 'api']);
    expect(view.steps.get('api')?.progress.state).toBe('working');
  });
});

describe('renderFrame', () => {
  const lines = (view: View, columns = 80, rows = 24): string[] =>
    renderFrame(view, { columns, rows }, { now: 4200, tick: 0 }, paint).map((line) => line.text);

  test('shows a line a step and the counts', () => {
    const at = 1100;
    const view = fold([
      started,
      { at, type: 'step-started', step: 'compile' },
      { at, type: 'phase-started', step: 'compile', phase: 'build' },
      {
        at,
        type: 'instruction',
        step: 'compile',
        instruction: { state: 'started', id: '1', text: '[2/5] RUN make' },
      },
    ]);
    expect(lines(view)).toEqual([
      '⠋ compile       3.1 s  [2/5] RUN make',
      '· api                  waiting for compile',
      '0 of 2 done · 1 working · 1 waiting · 3.2 s',
    ]);
  });

  test('shows how steps ended', () => {
    const at = 1100;
    const failure = { message: 'RUN make exited with 2', output: [] };
    const view = fold([
      started,
      { at, type: 'step-finished', step: 'compile', status: 'failed', durationMs: 3100, failure },
      { at, type: 'step-finished', step: 'api', status: 'skipped', durationMs: 0, reason: 'compile failed' },
      { at, type: 'build-finished', status: 'failed', durationMs: 3140 },
    ]);
    expect(lines(view)).toEqual([
      '✗ compile       3.1 s  RUN make exited with 2',
      '– api                  not run: compile failed',
      '2 of 2 done · 1 failed · 3.1 s',
    ]);
  });

  test('with more steps than rows shows those at work first and counts the rest', () => {
    const steps = Array.from({ length: 20 }, (_, index) => ({ label: `s${index + 1}`, dependsOn: [] }));
    const view = fold([
      { ...started, steps },
      { at: 1100, type: 'step-finished', step: 's1', status: 'succeeded', durationMs: 50 },
      { at: 1100, type: 'step-started', step: 's9' },
      { at: 1100, type: 'step-started', step: 's17' },
    ]);
    expect(lines(view, 80, 6)).toEqual([
      '· s2               waiting for its turn',
      '⠋ s9        3.1 s  building',
      '⠋ s17       3.1 s  building',
      '  … 17 more',
      '1 of 20 done · 2 working · 17 waiting · 3.2 s',
    ]);
  });

  test('fits every terminal, whatever labels and instructions hold', () => {
    const size = fc.record({
      columns: fc.integer({ min: 1, max: 120 }),
      rows: fc.integer({ min: 1, max: 30 }),
    });
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), size, (events, { columns, rows }) => {
        const frame = renderFrame(fold(events), { columns, rows }, { now: 0, tick: 3 }, paint);
        expect(frame.length).toBeLessThanOrEqual(Math.max(1, rows - 1));
        for (const line of frame) {
          expect(line.width).toBeLessThan(Math.max(columns, 1));
          expect(line.text).not.toMatch(/\p{Cc}/u);
        }
      }),
    );
  });
});

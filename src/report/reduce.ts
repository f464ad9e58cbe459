/** Folds one event of a build into the view. Pure; takes events in any order, for a display must never end a build. */
import type { BuildEvent, InstructionEvent } from '../core/events.js';
import { sanitize } from './sanitize.js';
import { TAIL_LINES, TAIL_LINE_LENGTH, type StepProgress, type StepView, type View } from './view.js';

/** More than any builder works at in one step; what a lost event leaves open must not pile up. */
const OPEN_INSTRUCTIONS = 32;

type Working = Extract<StepProgress, { state: 'working' }>;

export function reduce(view: View, event: BuildEvent): View {
  switch (event.type) {
    case 'build-started':
      return {
        ...view,
        build: {
          session: event.session,
          engine: event.engine,
          builder: event.builder,
          jobs: event.jobs,
          startedAt: event.at,
        },
        steps: new Map([
          ...event.steps.map(
            ({ label, dependsOn }) => [label, view.steps.get(label) ?? newStep(label, dependsOn)] as const,
          ),
          ...view.steps,
        ]),
      };
    case 'step-started':
      return withStep(view, event.step, (step) =>
        step.progress.state === 'waiting' ? { ...step, progress: beginning(event.at) } : step,
      );
    case 'phase-started':
      return withWork(view, event.step, event.at, (work) => ({
        state: 'working',
        startedAt: work.startedAt,
        phase: event.phase,
        ...(event.detail !== undefined && { detail: event.detail }),
        instructions: [],
      }));
    case 'instruction':
      return withStep(view, event.step, (step) => countInstruction(step, event.instruction, event.at));
    case 'output':
      return withStep(view, event.step, (step) => ({
        ...step,
        tail: [...step.tail, sanitize(event.line).slice(0, TAIL_LINE_LENGTH)].slice(-TAIL_LINES),
      }));
    case 'squashed':
      return view;
    case 'step-finished':
      return withStep(view, event.step, (step) => ({
        ...step,
        progress: {
          state: 'finished',
          status: event.status,
          durationMs: event.durationMs,
          ...(event.imageId !== undefined && { imageId: event.imageId }),
          ...(event.failure !== undefined && { failure: event.failure }),
          ...(event.reason !== undefined && { reason: event.reason }),
        },
      }));
    case 'build-finished':
      return { ...view, outcome: { status: event.status, durationMs: event.durationMs } };
    case 'proof-started':
    case 'proof-finished':
    case 'promoted':
    case 'notice':
      return view;
  }
}

function newStep(label: string, dependsOn: readonly string[]): StepView {
  return {
    label,
    dependsOn,
    progress: { state: 'waiting' },
    instructions: { finished: 0, cached: 0 },
    tail: [],
  };
}

function beginning(at: number): Working {
  return { state: 'working', startedAt: at, phase: 'build', instructions: [] };
}

function withStep(view: View, label: string, change: (step: StepView) => StepView): View {
  const step = view.steps.get(label) ?? newStep(label, []);
  return { ...view, steps: new Map(view.steps).set(label, change(step)) };
}

/** Change a step's work; a step that has finished stays finished. */
function withWork(view: View, label: string, at: number, change: (work: Working) => Working): View {
  return withStep(view, label, (step) => changeWork(step, at, change));
}

function changeWork(step: StepView, at: number, change: (work: Working) => Working): StepView {
  switch (step.progress.state) {
    case 'finished':
      return step;
    case 'waiting':
      return { ...step, progress: change(beginning(at)) };
    case 'working':
      return { ...step, progress: change(step.progress) };
  }
}

function countInstruction(step: StepView, instruction: InstructionEvent, at: number): StepView {
  const { id, text, state } = instruction;
  const changed = changeWork(step, at, (work) => {
    const others = work.instructions.filter((other) => other.id !== id);
    return {
      ...work,
      instructions: state === 'started' ? [...others, { id, text }].slice(-OPEN_INSTRUCTIONS) : others,
    };
  });
  if (state !== 'finished') return changed;
  const { finished, cached } = changed.instructions;
  return {
    ...changed,
    instructions: { finished: finished + 1, cached: cached + (instruction.cached ? 1 : 0) },
  };
}

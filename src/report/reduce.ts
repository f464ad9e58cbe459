/** Folds the events of a build into the view. Takes them in any order, for a display must never end a build. */
import type { BuildEvent, InstructionEvent } from '../core/events.js';
import { sanitize } from './sanitize.js';
import {
  TAIL_LINES,
  TAIL_LINE_LENGTH,
  type BuildView,
  type Outcome,
  type StepProgress,
  type StepView,
  type View,
} from './view.js';

/** More than any builder works at in one step; what a lost event leaves open must not pile up. */
const OPEN_INSTRUCTIONS = 32;

type Working = Extract<StepProgress, { state: 'working' }>;

/** Changes with each event: with thousands of steps a new map for each would take longer than all else. Its steps never change. */
export class LiveView implements View {
  #build: BuildView | undefined;
  #steps = new Map<string, StepView>();
  #outcome: Outcome | undefined;

  get build(): BuildView | undefined {
    return this.#build;
  }

  get steps(): ReadonlyMap<string, StepView> {
    return this.#steps;
  }

  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  add(event: BuildEvent): void {
    switch (event.type) {
      case 'build-started': {
        const { session, engine, builder, jobs, at } = event;
        this.#build = { session, engine, builder, jobs, startedAt: at };
        this.#steps = new Map([
          ...event.steps.map(({ label, dependsOn }) => [label, newStep(label, dependsOn)] as const),
          ...this.#steps,
        ]);
        return;
      }
      case 'build-finished':
        this.#outcome = { status: event.status, durationMs: event.durationMs };
        return;
      case 'step-started':
      case 'phase-started':
      case 'instruction':
      case 'output':
      case 'step-finished': {
        const step = this.#steps.get(event.step) ?? newStep(event.step, []);
        this.#steps.set(event.step, reduceStep(step, event));
        return;
      }
      case 'squashed':
      case 'proof-started':
      case 'proof-finished':
      case 'promoted':
      case 'notice':
    }
  }
}

type StepEvent = Extract<
  BuildEvent,
  { type: 'step-started' | 'phase-started' | 'instruction' | 'output' | 'step-finished' }
>;

function reduceStep(step: StepView, event: StepEvent): StepView {
  switch (event.type) {
    case 'step-started':
      return step.progress.state === 'waiting' ? { ...step, progress: beginning(event.at) } : step;
    case 'phase-started':
      return changeWork(step, event.at, (work) => ({
        state: 'working',
        startedAt: work.startedAt,
        phase: event.phase,
        ...(event.detail !== undefined && { detail: event.detail }),
        instructions: [],
      }));
    case 'instruction':
      return countInstruction(step, event.instruction, event.at);
    case 'output':
      return {
        ...step,
        tail: [...step.tail, sanitize(event.line).slice(0, TAIL_LINE_LENGTH)].slice(-TAIL_LINES),
      };
    case 'step-finished':
      return {
        ...step,
        progress: {
          state: 'finished',
          status: event.status,
          durationMs: event.durationMs,
          ...(event.imageId !== undefined && { imageId: event.imageId }),
          ...(event.failure !== undefined && { failure: event.failure }),
          ...(event.reason !== undefined && { reason: event.reason }),
        },
      };
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

/** A step that has finished stays finished. */
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

/** What is known of a build: the fold of its events (reduce.ts), which every display renders. */
import type { Failure, StepPhase, StepStatus } from '../core/events.js';
import type { Builder } from '../core/ports.js';

export interface View {
  /** Absent until the build has started. */
  readonly build: BuildView | undefined;
  /** In the order of the plan. */
  readonly steps: ReadonlyMap<string, StepView>;
  readonly outcome: Outcome | undefined;
}

export interface BuildView {
  readonly session: string;
  readonly engine: string;
  readonly builder: Builder;
  readonly jobs: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

export interface Outcome {
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly durationMs: number;
}

export interface StepView {
  readonly label: string;
  readonly dependsOn: readonly string[];
  readonly progress: StepProgress;
  readonly instructions: { readonly finished: number; readonly cached: number };
  /** The last lines of output, sanitized, each cut to a bounded length; oldest first. */
  readonly tail: readonly string[];
}

export type StepProgress =
  | { readonly state: 'waiting' }
  | {
      readonly state: 'working';
      readonly startedAt: number;
      readonly phase: StepPhase;
      readonly detail?: string;
      /** Instructions in work, in the order they began; BuildKit works at several at once. */
      readonly instructions: readonly { readonly id: string; readonly text: string }[];
    }
  | {
      readonly state: 'finished';
      readonly status: StepStatus;
      readonly durationMs: number;
      readonly imageId?: string;
      readonly failure?: Failure;
      readonly reason?: string;
    };

/** How many lines of output a step's view holds. */
export const TAIL_LINES = 10;

/** How many characters of one line it holds. */
export const TAIL_LINE_LENGTH = 400;

export type StepCounts = Readonly<Record<'waiting' | 'working' | StepStatus, number>>;

/** How many steps are in each state. */
export function countSteps(view: View): StepCounts {
  const counts = { waiting: 0, working: 0, succeeded: 0, unchanged: 0, failed: 0, cancelled: 0, skipped: 0 };
  for (const { progress } of view.steps.values()) {
    counts[progress.state === 'finished' ? progress.status : progress.state]++;
  }
  return counts;
}

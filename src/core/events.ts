/** What a build tells the world while it runs: plain data, folded by reporters. One closed union. */
import type { ProofReport } from './secrets.js';

export type StepPhase = 'build' | 'cleanup' | 'squash' | 'artifacts' | 'command' | 'after_build_command';

/** How one step ended. `unchanged`: not built, for nothing has changed; `skipped`: never started; `cancelled`: stopped at work. */
export type StepStatus = 'succeeded' | 'unchanged' | 'failed' | 'cancelled' | 'skipped';

export type BuildEvent = { /** Milliseconds since the epoch. */ readonly at: number } & (
  | {
      readonly type: 'build-started';
      readonly session: string;
      readonly engine: string;
      readonly builder: 'classic' | 'buildkit';
      readonly steps: readonly { readonly label: string; readonly dependsOn: readonly string[] }[];
      readonly jobs: number;
    }
  | { readonly type: 'step-started'; readonly step: string }
  | {
      readonly type: 'phase-started';
      readonly step: string;
      readonly phase: StepPhase;
      readonly detail?: string;
    }
  | { readonly type: 'instruction'; readonly step: string; readonly instruction: InstructionEvent }
  | {
      readonly type: 'output';
      readonly step: string;
      readonly phase: StepPhase;
      readonly stream: 'stdout' | 'stderr';
      /** One line without its line break; may hold control characters, which reporters must make harmless. */
      readonly line: string;
    }
  | {
      readonly type: 'squashed';
      readonly step: string;
      /** All layers of the image, and bytes of those above the base. */
      readonly layersBefore: number;
      readonly layersAfter: number;
      readonly bytesBefore: number;
      readonly bytesAfter: number;
      /** Paths that a layer had and the image no longer has. */
      readonly pathsRemoved: number;
    }
  | {
      readonly type: 'step-finished';
      readonly step: string;
      readonly status: StepStatus;
      readonly durationMs: number;
      /** The built image, when there is one. */
      readonly imageId?: string;
      readonly failure?: Failure;
      /** Why it was skipped or cancelled, e.g. `compile failed`. */
      readonly reason?: string;
    }
  | { readonly type: 'proof-started'; /** How many will be searched. */ readonly images: number }
  | { readonly type: 'proof-finished'; readonly report: ProofReport }
  | {
      readonly type: 'promoted';
      readonly names: readonly { readonly step: string; readonly name: string; readonly imageId: string }[];
    }
  | {
      readonly type: 'notice';
      readonly level: 'info' | 'warning';
      readonly step?: string;
      readonly message: string;
    }
  | {
      readonly type: 'build-finished';
      readonly status: 'succeeded' | 'failed' | 'cancelled';
      readonly durationMs: number;
      /** Why it was stopped, e.g. `the build took longer than 10m`. */
      readonly reason?: string;
    }
);

/** One Dockerfile instruction (or builder-internal step) of one build, told alike for both builders. */
export type InstructionEvent =
  | { readonly state: 'started'; readonly id: string; readonly text: string }
  | {
      readonly state: 'finished';
      readonly id: string;
      readonly text: string;
      readonly cached: boolean;
      readonly durationMs: number;
    }
  | { readonly state: 'failed'; readonly id: string; readonly text: string; readonly durationMs: number };

/** A failure as users read it. */
export interface Failure {
  /** What happened, one sentence without a final period. */
  readonly message: string;
  /** The instruction or command that failed, e.g. `RUN make`. */
  readonly instruction?: string;
  readonly exitCode?: number;
  /** Last lines of its output, oldest first. */
  readonly output: readonly string[];
  /** What to do next. */
  readonly hint?: string;
}

export type Emit = (event: BuildEvent) => void;

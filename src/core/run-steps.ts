/** Runs the steps of a plan in the scheduler's order, tells their events, and frees artifacts after their last taker. */
import { monotonic } from '../clock.js';
import { ContextError, TarError } from '../tar/errors.js';
import { HabitusError, StepError } from './errors.js';
import type { Emit, Failure, StepStatus } from './events.js';
import type { Fate, SessionMemory } from './memory.js';
import type { Plan, PlannedStep } from './plan.js';
import type { BuildSettings, RunningBuild } from './running-build.js';
import { schedule, type Outcome } from './scheduler.js';
import type { Session } from './session.js';
import { StepReporter } from './step-reporter.js';
import { withinTimeout } from './step-timeout.js';
import type { HandOff } from './step.js';

export interface EndedStep {
  readonly step: PlannedStep;
  readonly fate: Fate;
  /** The value is the image ID. */
  readonly outcome: Outcome<string>;
  /** 0 where it never started. */
  readonly durationMs: number;
  /** Set where the outcome is `failed`. */
  readonly failure?: Failure;
}

/** @returns how each step ended, in the order of the plan; rejects only on a bug of this program, after every step has settled */
export async function runSteps(
  { plan, engine, session, settings, emit, signal }: RunningBuild,
  fates: ReadonlyMap<string, Fate>,
): Promise<readonly EndedStep[]> {
  const steps = new Map(plan.steps.map((step) => [step.label, step]));
  const flow = artifactFlow(plan);
  const fateOf = (label: string): Fate => fates.get(label) ?? BUILD;
  const startedAt = new Map<string, number>();
  const ended = new Map<string, EndedStep>();
  const releases: Promise<void>[] = [];
  const weightOf = weights(plan, fates, settings.memory);

  await schedule<string>(
    plan.steps.map(({ label, dependsOn }) => ({ id: label, dependsOn, weight: weightOf(label) })),
    {
      jobs: settings.jobs,
      keepGoing: settings.keepGoing,
      signal,
      run: (label, stepSignal) => {
        const step = known(steps, label);
        const fate = fateOf(label);
        if (fate.kind === 'leave' || fate.kind === 'named') return Promise.resolve(fate.imageId);
        startedAt.set(label, monotonic());
        emit({ at: Date.now(), type: 'step-started', step: label });
        const producers = fate.kind === 'build' ? (flow.producersFor.get(label) ?? []) : [];
        const report = new StepReporter(emit, label);
        const input = {
          producers: producers.map((producer) => ({
            step: producer,
            imageId: imageOf(known(ended, producer)),
            artifacts: session.artifactsOf(producer),
          })),
          handOff: handOffOf(
            settings,
            [...(flow.takersOf.get(label) ?? [])].some((taker) => fateOf(taker).kind === 'build'),
          ),
        };
        const stepSettings = { ...settings, engine, session, workDirectory: plan.workDirectory };
        return withinTimeout(step, report, stepSignal, async (limited) => {
          // Loaded by the first step that works.
          const { runStep } = await import('./step.js');
          return runStep(step, fate, input, stepSettings, report, limited);
        });
      },
      settled: (label, outcome) => {
        const started = startedAt.get(label);
        const step: EndedStep = {
          step: known(steps, label),
          fate: fateOf(label),
          outcome,
          durationMs: started === undefined ? 0 : Math.round(monotonic() - started),
          ...(outcome.status === 'failed' && {
            failure: withFinalNames(failureOf(outcome.error), plan, session),
          }),
        };
        ended.set(label, step);
        emit(finishedEvent(step));
        if (settings.keepArtifacts) return;
        for (const producer of flow.producersFor.get(label) ?? []) {
          const takers = flow.takersOf.get(producer);
          takers?.delete(label);
          if (takers?.size === 0) releases.push(session.releaseArtifacts(producer));
        }
      },
    },
  );
  await Promise.all(releases);
  for (const { outcome } of ended.values()) {
    if (outcome.status === 'failed' && isBug(outcome.error)) throw outcome.error;
  }
  return plan.steps.map(({ label }) => known(ended, label));
}

function handOffOf({ keepArtifacts, builder }: BuildSettings, isTaken: boolean): HandOff {
  if (keepArtifacts) return 'contents';
  if (!isTaken) return 'nothing';
  switch (builder) {
    case 'classic':
      return 'contents';
    case 'buildkit':
      return 'list';
  }
}

const BUILD: Fate = { kind: 'build', why: [] };

/** What a user reads of how it ended. */
export function statusOf({ outcome, fate }: EndedStep): StepStatus {
  return outcome.status === 'succeeded' && fate.kind !== 'build' ? 'unchanged' : outcome.status;
}

function imageOf({ step, outcome }: EndedStep): string {
  if (outcome.status !== 'succeeded') throw new Error(`${step.label} is taken from, but ${outcome.status}`);
  return outcome.value;
}

interface ArtifactFlow {
  /** Step → the steps whose artifacts its context holds, in the order of the plan. */
  readonly producersFor: ReadonlyMap<string, readonly string[]>;
  /** Step with artifacts → the steps that still have to take them. */
  readonly takersOf: ReadonlyMap<string, Set<string>>;
}

/** Artifacts go to every step that comes after their step, directly or not. */
function artifactFlow(plan: Plan): ArtifactFlow {
  const producersFor = new Map<string, string[]>();
  const takersOf = new Map<string, Set<string>>();
  for (const producer of plan.steps) {
    if (producer.artifacts.length === 0) continue;
    const after = new Set([producer.label]);
    for (const step of plan.steps) {
      if (!step.dependsOn.some((label) => after.has(label))) continue;
      after.add(step.label);
      producersFor.set(step.label, [...(producersFor.get(step.label) ?? []), producer.label]);
    }
    after.delete(producer.label);
    if (after.size > 0) takersOf.set(producer.label, after);
  }
  return { producersFor, takersOf };
}

function finishedEvent(ended: EndedStep): Parameters<Emit>[0] {
  const { step, outcome, durationMs, failure } = ended;
  return {
    at: Date.now(),
    type: 'step-finished',
    step: step.label,
    status: statusOf(ended),
    durationMs,
    ...(outcome.status === 'succeeded' && { imageId: outcome.value }),
    ...((outcome.status === 'skipped' || outcome.status === 'cancelled') && { reason: outcome.reason }),
    ...(failure !== undefined && { failure }),
  };
}

/** Remembered durations, in milliseconds; what was never built counts as the mean of the others. */
function weights(
  plan: Plan,
  fates: ReadonlyMap<string, Fate>,
  memory: SessionMemory | undefined,
): (label: string) => number {
  const durations = plan.steps.flatMap(({ label }) => memory?.durationOf(label) ?? []);
  const mean = durations.length === 0 ? 1 : durations.reduce((sum, one) => sum + one, 0) / durations.length;
  return (label) => {
    const kind = fates.get(label)?.kind ?? 'build';
    return kind === 'build' ? (memory?.durationOf(label) ?? mean) : 0;
  };
}

/** What users read of an error that stopped a step. */
function failureOf(error: unknown): Failure {
  if (error instanceof StepError) return error.failure;
  if (error instanceof HabitusError || error instanceof ContextError) {
    return { message: error.message, output: [], ...(error.hint !== undefined && { hint: error.hint }) };
  }
  return { message: error instanceof Error ? error.message : String(error), output: [] };
}

/** The engine speaks of the names that images have while the session lasts; users know those of their build file. */
function withFinalNames(failure: Failure, { steps }: Plan, session: Session): Failure {
  const message = steps.reduce(
    (text, { label, imageName }) => text.replaceAll(session.tagOf(label), () => imageName),
    failure.message,
  );
  return { ...failure, message };
}

/** Whether an error comes from this program's own mistake rather than from files, the engine or the system. */
function isBug(error: unknown): boolean {
  if (error instanceof HabitusError || error instanceof ContextError || error instanceof TarError)
    return false;
  return !(error instanceof Error && 'syscall' in error);
}

function known<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`no step ${key}`);
  return value;
}

/** One build: open a session, run the DAG, promote the names, dispose the session on every path. */
import { ContextError } from '../tar/errors.js';
import { writeArtifact } from '../tar/extract.js';
import type { BuildResult, StepResult } from './api.js';
import { UsageError } from './errors.js';
import type { Emit } from './events.js';
import type { Builder, Engine, Limits } from './ports.js';
import type { Plan } from './plan.js';
import { promote } from './promote.js';
import { runSteps, type EndedStep } from './run-steps.js';
import { Session, type ImageRemoval } from './session.js';

export interface BuildSettings {
  readonly builder: Builder;
  /** How many steps work at once. */
  readonly jobs: number;
  readonly keepGoing: boolean;
  readonly keepArtifacts: boolean;
  readonly network: string;
  readonly limits: Limits;
  readonly removeContainers: boolean;
  readonly keepBuildCache: boolean;
  readonly removal: ImageRemoval;
}

/**
 * Run a plan on an engine. Resolves also when steps failed or the signal was aborted; by then nothing works any more and
 * nothing of the session is left, or a warning says what.
 * @throws EngineError when the images were built but could not be named
 * @throws UsageError when their artifacts could not be kept; no name was given then
 */
export async function runBuild(
  plan: Plan,
  engine: Engine,
  settings: BuildSettings,
  emit: Emit,
  signal: AbortSignal,
): Promise<BuildResult> {
  const started = performance.now();
  const session = new Session(
    engine,
    plan.steps.map(({ label }) => label),
  );
  emit({
    at: Date.now(),
    type: 'build-started',
    session: session.id,
    engine: engine.info.name,
    builder: settings.builder,
    steps: plan.steps.map(({ label, dependsOn }) => ({ label, dependsOn })),
    jobs: settings.jobs,
  });
  let status: BuildResult['status'] = 'failed';
  let ended: readonly EndedStep[];
  try {
    ended = await runSteps(plan, settings, session, engine, emit, signal);
    if (ended.every(({ outcome }) => outcome.status === 'succeeded')) {
      status = await finish(plan, ended, session, engine, settings, emit, signal);
    } else if (signal.aborted) {
      status = 'cancelled';
    }
  } finally {
    for (const problem of await session.dispose(settings.removal)) {
      emit({ at: Date.now(), type: 'notice', level: 'warning', message: problem });
    }
    emit({
      at: Date.now(),
      type: 'build-finished',
      status,
      durationMs: Math.round(performance.now() - started),
    });
  }
  return {
    session: session.id,
    status,
    durationMs: Math.round(performance.now() - started),
    steps: ended.map((step) => stepResult(step, status === 'succeeded')),
  };
}

/** What happens once every step has succeeded: artifacts are written and names given, or the build is cancelled. */
async function finish(
  plan: Plan,
  ended: readonly EndedStep[],
  session: Session,
  engine: Engine,
  settings: BuildSettings,
  emit: Emit,
  signal: AbortSignal,
): Promise<'succeeded' | 'cancelled'> {
  try {
    if (settings.keepArtifacts) await writeArtifacts(plan, session, signal);
    const promotions = ended.flatMap(({ step, outcome }) =>
      step.keep && outcome.status === 'succeeded'
        ? [{ label: step.label, imageId: outcome.value, name: step.imageName }]
        : [],
    );
    const problems = await promote(engine, session, promotions, settings.removal, signal);
    for (const message of problems) emit({ at: Date.now(), type: 'notice', level: 'warning', message });
    emit({
      at: Date.now(),
      type: 'promoted',
      names: promotions.map(({ label, name, imageId }) => ({ step: label, name, imageId })),
    });
    return 'succeeded';
  } catch (error) {
    if (signal.aborted && error === signal.reason) return 'cancelled';
    throw error;
  }
}

/** @throws UsageError where the work directory does not take them */
async function writeArtifacts(plan: Plan, session: Session, signal: AbortSignal): Promise<void> {
  try {
    for (const { label } of plan.steps) {
      for (const artifact of session.artifactsOf(label)) {
        await writeArtifact(artifact, plan.workDirectory, signal);
      }
    }
  } catch (error) {
    if (!(error instanceof ContextError)) throw error;
    const { message, hint } = error;
    throw new UsageError(message, { cause: error, ...(hint !== undefined && { hint }) });
  }
}

function stepResult({ step, outcome, durationMs, failure }: EndedStep, named: boolean): StepResult {
  return {
    label: step.label,
    imageName: step.imageName,
    status: outcome.status,
    durationMs,
    names: named && step.keep ? [step.imageName] : [],
    ...(outcome.status === 'succeeded' && { imageId: outcome.value }),
    ...((outcome.status === 'skipped' || outcome.status === 'cancelled') && { reason: outcome.reason }),
    ...(failure !== undefined && { failure }),
  };
}

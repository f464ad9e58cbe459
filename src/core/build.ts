/** One build: open a session, run the DAG, promote the names, dispose the session on every path. */
import { ContextError } from '../tar/errors.js';
import { writeArtifact } from '../tar/extract.js';
import type { BuildResult, StepResult } from './api.js';
import { TimeoutError, UsageError } from './errors.js';
import type { Emit } from './events.js';
import { collectDead } from './collect-dead.js';
import { Journal } from './journal.js';
import type { Holding } from './leftovers.js';
import { newSessionId } from './marks.js';
import type { Fate, Hold, SessionMemory } from './memory.js';
import type { Builder, Engine, Limits } from './ports.js';
import type { Plan, PlannedStep } from './plan.js';
import { describeRecovery, type LockOptions } from './promotion-lock.js';
import { promote } from './promote.js';
import { leavingOf } from './proof.js';
import { pullBases } from './pull-bases.js';
import { runSteps, statusOf, type EndedStep } from './run-steps.js';
import { reasonOf } from './scheduler.js';
import type { BuildSecrets, ProofReport } from './secrets.js';
import { Session } from './session.js';
import type { ImageRemoval } from './traces.js';
import type { UserFolder } from './user-folder.js';

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
  /** Where it is written down what could be left without a mark. */
  readonly folder: UserFolder;
  /** What sessions held before this one. */
  readonly holdings: Promise<readonly Holding[]>;
  readonly secrets: BuildSecrets;
  /** Fetch the base images anew from their registries. */
  readonly pull: boolean;
  /** Absent: everything is built. */
  readonly memory?: SessionMemory;
  /** Tell of each step why it is built, or is not. */
  readonly explain: boolean;
}

/**
 * Run a plan on an engine. Resolves also when steps failed or the signal was aborted; by then nothing works any more and
 * nothing of the session is left, or a warning says what. Aborted with a TimeoutError the build has failed, else it is cancelled.
 * @throws EngineError when the images were built but could not be named
 * @throws UsageError when their artifacts could not be kept; no name was given then
 * @throws what the proof throws where it cannot be made; no name was given then
 */
export async function runBuild(
  plan: Plan,
  engine: Engine,
  settings: BuildSettings,
  emit: Emit,
  signal: AbortSignal,
): Promise<BuildResult> {
  const started = performance.now();
  const id = newSessionId();
  const session = new Session(
    engine,
    plan.steps.map(({ label }) => label),
    { id, journal: new Journal(settings.folder, id, engine.info.id) },
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
  let end: End = { status: 'failed' };
  let ended: readonly EndedStep[];
  try {
    if (settings.pull) await pullAll(plan, engine, emit, signal);
    // Before anything is built: what dead sessions have left may be what this build finds in the builder's cache.
    const collecting = collectDead(engine, settings.folder, settings.holdings, emit, signal);
    const hold: Hold = (label, imageId) => engine.holdImage(imageId, session.tagOf(label));
    const fates = await decideFates(settings, hold, collecting, signal).finally(() => collecting);
    if (settings.explain && !signal.aborted) explainFates(plan, fates, emit);
    ended = await runSteps(plan, fates, settings, session, engine, emit, signal);
    if (ended.every(({ outcome }) => outcome.status === 'succeeded')) {
      end = await finish(plan, ended, session, engine, settings, emit, signal);
    } else if (signal.aborted) {
      end = stopped(signal);
    }
  } finally {
    for (const problem of await session.dispose(settings.removal)) {
      emit({ at: Date.now(), type: 'notice', level: 'warning', message: problem });
    }
    emit({
      at: Date.now(),
      type: 'build-finished',
      status: end.status,
      durationMs: Math.round(performance.now() - started),
      ...(end.reason !== undefined && { reason: end.reason }),
    });
  }
  return {
    session: session.id,
    ...end,
    durationMs: Math.round(performance.now() - started),
    steps: ended.map((step) => stepResult(step, end.status === 'succeeded')),
  };
}

/** Where it is stopped meanwhile the steps tell so. */
async function pullAll(plan: Plan, engine: Engine, emit: Emit, signal: AbortSignal): Promise<void> {
  try {
    await pullBases(plan, engine, emit, signal);
  } catch (error) {
    if (!isStop(error, signal)) throw error;
  }
}

/** None where it is stopped meanwhile: then nothing is started. */
async function decideFates(
  { memory }: BuildSettings,
  hold: Hold,
  collecting: Promise<boolean>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Fate>> {
  try {
    return (await memory?.decide(hold, collecting, signal)) ?? new Map<string, Fate>();
  } catch (error) {
    if (isStop(error, signal)) return new Map();
    throw error;
  }
}

/** How a build ends that was stopped. */
function stopped(signal: AbortSignal): Pick<BuildResult, 'status' | 'reason'> {
  return { status: signal.reason instanceof TimeoutError ? 'failed' : 'cancelled', reason: reasonOf(signal) };
}

/** Whether it is the signal's abort. What Node itself rejects with holds the signal's reason as its cause. */
function isStop(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && error.cause === signal.reason);
}

async function prove(
  plan: Plan,
  ended: readonly EndedStep[],
  session: Session,
  engine: Engine,
  { secrets, keepArtifacts }: BuildSettings,
  emit: Emit,
  signal: AbortSignal,
): Promise<ProofReport | undefined> {
  if (secrets.prove === undefined) return undefined;
  const leaving = await leavingOf(plan, ended, keepArtifacts, engine, session, signal);
  emit({ at: Date.now(), type: 'proof-started', images: leaving.images.length });
  const report = await secrets.prove(leaving, signal);
  emit({ at: Date.now(), type: 'proof-finished', report });
  return report;
}

type End = Pick<BuildResult, 'status' | 'reason' | 'proof'>;

/** Once every step has succeeded: what leaves is proven, then artifacts are written and names given; or it is stopped. */
async function finish(
  plan: Plan,
  ended: readonly EndedStep[],
  session: Session,
  engine: Engine,
  settings: BuildSettings,
  emit: Emit,
  signal: AbortSignal,
): Promise<End> {
  let proven: Pick<End, 'proof'> = {};
  try {
    const proof = await prove(plan, ended, session, engine, settings, emit, signal);
    if (proof !== undefined) proven = { proof };
    if (proof?.result === 'found') return { status: 'failed', proof };
    if (settings.keepArtifacts) {
      // They may lie in contexts.
      await remember(ended, session, settings, signal);
      await writeArtifacts(plan, session, signal);
    }
    const promotions = ended.flatMap(({ step, fate, outcome }) =>
      step.keep && outcome.status === 'succeeded'
        ? [{ label: step.label, fate, imageId: outcome.value, name: step.imageName }]
        : [],
    );
    const toName = promotions.filter(({ fate }) => fate.kind !== 'named');
    const before = settings.memory?.named;
    const lockOptions: LockOptions = {
      onRecovery: (recovery) => {
        emit({ at: Date.now(), type: 'notice', level: 'warning', message: describeRecovery(recovery) });
      },
      ...(before !== undefined && { before }),
    };
    const [promoted, remembered] = await Promise.allSettled([
      // First, for it waits for the engine.
      promote(engine, session, toName, settings.removal, lockOptions, signal),
      settings.keepArtifacts ? undefined : remember(ended, session, settings, signal),
    ]);
    if (promoted.status === 'rejected') throw promoted.reason;
    // A stop that comes while names are given is too late.
    if (remembered.status === 'rejected' && !isStop(remembered.reason, signal)) throw remembered.reason;
    const problems = promoted.value;
    for (const message of problems) emit({ at: Date.now(), type: 'notice', level: 'warning', message });
    emit({
      at: Date.now(),
      type: 'promoted',
      names: promotions.map(({ label, name, imageId }) => ({ step: label, name, imageId })),
    });
    return { status: 'succeeded', ...proven };
  } catch (error) {
    if (isStop(error, signal)) return { ...stopped(signal), ...proven };
    throw error;
  }
}

/** What the next build has to know of this one. */
async function remember(
  ended: readonly EndedStep[],
  session: Session,
  { memory }: BuildSettings,
  signal: AbortSignal,
): Promise<void> {
  await memory?.remember(
    session.id,
    ended.flatMap(({ step: { label }, fate, outcome, durationMs }) =>
      outcome.status === 'succeeded' ? [{ label, fate, imageId: outcome.value, durationMs }] : [],
    ),
    signal,
  );
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

function explainFates(plan: Plan, fates: ReadonlyMap<string, Fate>, emit: Emit): void {
  for (const step of plan.steps) {
    const message = explainFate(step, fates.get(step.label));
    emit({ at: Date.now(), type: 'notice', level: 'info', step: step.label, message });
  }
}

function explainFate({ command, commandCache }: PlannedStep, fate: Fate | undefined): string {
  if (fate === undefined) return 'built';
  if (fate.kind === 'build') return `built: ${fate.why.join(', ')}`;
  if (command === undefined || !commandCache) return 'unchanged';
  return fate.kind === 'reuse' && fate.command === 'runs'
    ? 'unchanged, but its command has not yet succeeded in this image'
    : 'unchanged, and its command left out';
}

function stepResult(ended: EndedStep, named: boolean): StepResult {
  const { step, outcome, durationMs, failure } = ended;
  return {
    label: step.label,
    imageName: step.imageName,
    status: statusOf(ended),
    durationMs,
    names: named && step.keep ? [step.imageName] : [],
    ...(outcome.status === 'succeeded' && { imageId: outcome.value }),
    ...((outcome.status === 'skipped' || outcome.status === 'cancelled') && { reason: outcome.reason }),
    ...(failure !== undefined && { failure }),
  };
}

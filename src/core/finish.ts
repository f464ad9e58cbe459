/** The end of a build whose steps have all succeeded: what leaves is proven, artifacts are written, names are given. */
import { ContextError } from '../tar/errors.js';
import type { BuildResult } from './api.js';
import type { BuildSettings } from './build.js';
import { TimeoutError, UsageError } from './errors.js';
import type { Emit } from './events.js';
import type { Engine } from './ports.js';
import type { Plan } from './plan.js';
import { describeRecovery, type LockOptions } from './promotion-lock.js';
import { promote } from './promote.js';
import { leavingOf } from './proof.js';
import type { EndedStep } from './run-steps.js';
import { reasonOf } from './scheduler.js';
import type { ProofReport } from './secrets.js';
import type { Session } from './session.js';

export type End = Pick<BuildResult, 'status' | 'reason' | 'proof'>;

/** Once every step has succeeded: what leaves is proven, then artifacts are written and names given; or it is stopped. */
export async function finish(
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

/** How a build ends that was stopped. */
export function stopped(signal: AbortSignal): End {
  return { status: signal.reason instanceof TimeoutError ? 'failed' : 'cancelled', reason: reasonOf(signal) };
}

/** Whether it is the signal's abort. What Node itself rejects with holds the signal's reason as its cause. */
export function isStop(error: unknown, signal: AbortSignal): boolean {
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
  const { writeArtifact } = await import('../tar/extract.js');
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

/** The end of a build whose steps have all succeeded: what leaves is proven, artifacts are written, names are given. */
import { ContextError } from '../tar/errors.js';
import type { BuildResult } from './api.js';
import { TimeoutError, UsageError } from './errors.js';
import { describeRecovery, type LockOptions } from './promotion-lock.js';
import { promote } from './promote.js';
import { leavingOf } from './proof.js';
import type { EndedStep } from './run-steps.js';
import { reasonOf } from './scheduler.js';
import type { RunningBuild } from './running-build.js';
import type { ProofReport } from './secrets.js';

export type End = Pick<BuildResult, 'status' | 'reason' | 'proof'>;

/** Once every step has succeeded: what leaves is proven, then artifacts are written and names given; or it is stopped. */
export async function finish(running: RunningBuild, ended: readonly EndedStep[]): Promise<End> {
  const { engine, session, settings, emit, signal } = running;
  let proven: Pick<End, 'proof'> = {};
  try {
    const proof = await prove(running, ended);
    if (proof !== undefined) proven = { proof };
    if (proof?.result === 'found') return { status: 'failed', proof };
    if (settings.keepArtifacts) {
      // They may lie in contexts.
      await remember(running, ended);
      await writeArtifacts(running);
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
      settings.keepArtifacts ? undefined : remember(running, ended),
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

async function prove(running: RunningBuild, ended: readonly EndedStep[]): Promise<ProofReport | undefined> {
  const {
    settings: { secrets },
    emit,
    signal,
  } = running;
  if (secrets.prove === undefined) return undefined;
  const leaving = await leavingOf(running, ended);
  emit({ at: Date.now(), type: 'proof-started', images: leaving.images.length });
  const report = await secrets.prove(leaving, signal);
  emit({ at: Date.now(), type: 'proof-finished', report });
  return report;
}

/** What the next build has to know of this one. */
async function remember(
  { settings: { memory }, session, signal }: RunningBuild,
  ended: readonly EndedStep[],
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
async function writeArtifacts({ plan, session, signal }: RunningBuild): Promise<void> {
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

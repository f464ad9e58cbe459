/** One build: open a session, run the DAG, promote the names, dispose the session on every path. */
import { monotonic } from '../clock.js';
import type { BuildResult, StepResult } from './api.js';
import { EngineError } from './errors.js';
import type { Emit } from './events.js';
import { collectDead } from './collect-dead.js';
import { finish, isStop, stopped, type End } from './finish.js';
import { Journal } from './journal.js';
import { findLoss } from './lost-images.js';
import { newSessionId } from './marks.js';
import type { Fate, Hold } from './memory.js';
import type { Engine } from './ports.js';
import type { Plan, PlannedStep } from './plan.js';
import { pullBases } from './pull-bases.js';
import { runSteps, statusOf, type EndedStep } from './run-steps.js';
import type { BuildSettings, RunningBuild } from './running-build.js';
import { Session } from './session.js';

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
  const started = monotonic();
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
  const running: RunningBuild = { plan, engine, session, settings, emit, signal };
  let end: End = { status: 'failed' };
  let ended: readonly EndedStep[];
  try {
    if (settings.pull) await pullAll(running);
    // Before anything is built: what dead sessions have left may be what this build finds in the builder's cache.
    const collecting = collectDead(engine, settings.folder, settings.holdings, emit, signal);
    const hold: Hold = async (label, imageId) => {
      const isThere = await engine.holdImage(imageId, session.tagOf(label));
      if (isThere) session.hold(label);
      return isThere;
    };
    let fates = await decideFates(running, hold, collecting).finally(() => collecting);
    if (settings.explain && !signal.aborted) explainFates(plan, fates, emit);
    for (let runs = 1; ; runs += 1) {
      ended = await runSteps(running, fates);
      const mayRunAgain = runs < MOST_RUNS && !signal.aborted;
      const ending = await endOf(running, ended, mayRunAgain);
      if (ending !== undefined) {
        end = ending;
        break;
      }
      // Everything, for what was made from a lost image must be of one piece with the one that is made in its place.
      fates = new Map();
    }
  } finally {
    for (const problem of await session.dispose(settings.removal)) {
      emit({ at: Date.now(), type: 'notice', level: 'warning', message: problem });
    }
    emit({
      at: Date.now(),
      type: 'build-finished',
      status: end.status,
      durationMs: Math.round(monotonic() - started),
      ...(end.reason !== undefined && { reason: end.reason }),
    });
  }
  return {
    session: session.id,
    ...end,
    durationMs: Math.round(monotonic() - started),
    steps: ended.map((step) => stepResult(step, end.status === 'succeeded')),
  };
}

/** How often steps are run at most. */
const MOST_RUNS = 3;

/** @returns nothing where the session has lost images: it is ready for all steps to be run once more */
async function endOf(
  running: RunningBuild,
  ended: readonly EndedStep[],
  mayRunAgain: boolean,
): Promise<End | undefined> {
  const { session, emit, signal } = running;
  const beginsAgain = async (): Promise<boolean> => {
    const loss = mayRunAgain ? await findLoss(running, ended) : undefined;
    if (loss === undefined) return false;
    const what = `what this session had built of ${loss.labels.join(', ')}`;
    const message = `somebody has removed ${what}: building once more`;
    emit({ at: Date.now(), type: 'notice', level: 'warning', message });
    await session.beginAgain(loss.left);
    return true;
  };
  if (ended.every(({ outcome }) => outcome.status === 'succeeded')) {
    try {
      return await finish(running, ended);
    } catch (error) {
      if (error instanceof EngineError && (await beginsAgain())) return undefined;
      throw error;
    }
  }
  if (signal.aborted) return stopped(signal);
  return (await beginsAgain()) ? undefined : { status: 'failed' };
}

/** Where it is stopped meanwhile the steps tell so. */
async function pullAll({ plan, engine, emit, signal }: RunningBuild): Promise<void> {
  try {
    await pullBases(plan, engine, emit, signal);
  } catch (error) {
    if (!isStop(error, signal)) throw error;
  }
}

/** None where it is stopped meanwhile: then nothing is started. */
async function decideFates(
  { settings: { memory }, signal }: RunningBuild,
  hold: Hold,
  collecting: Promise<boolean>,
): Promise<ReadonlyMap<string, Fate>> {
  try {
    return (await memory?.decide(hold, collecting, signal)) ?? new Map<string, Fate>();
  } catch (error) {
    if (isStop(error, signal)) return new Map();
    throw error;
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

/**
 * Images that a session loses. Who removes an image that another session has found in the builder's cache a moment ago may take
 * that session's name along: an engine counts the names of an image, and some time later removes all that it has.
 */
import { EngineError } from './errors.js';
import type { EndedStep } from './run-steps.js';
import type { RunningBuild } from './running-build.js';

export interface Loss {
  /** Labels of the steps whose images are gone. */
  readonly labels: readonly string[];
  /** IDs of the images that the session still has, those of later steps first. */
  readonly left: readonly string[];
}

/**
 * Once steps have failed, or their images could not get their names.
 * @param ended in the order of the plan
 * @returns nothing where it was not for lost images, or where the engine does not tell
 */
export async function findLoss(
  { engine, session, signal }: RunningBuild,
  ended: readonly EndedStep[],
): Promise<Loss | undefined> {
  const labels = ended.flatMap(({ step: { label } }) => (session.held.has(label) ? [label] : []));
  const names = labels.map((label) => session.tagOf(label));
  let found: ReadonlyMap<string, string>;
  try {
    found = await engine.findNames(names, signal);
  } catch (error) {
    if (error instanceof EngineError || signal.aborted) return undefined;
    throw error;
  }
  const lost = labels.filter((label) => !found.has(session.tagOf(label)));
  const touched = reachOf(lost, ended);
  const failed = ended.filter(({ outcome }) => outcome.status === 'failed');
  if (lost.length === 0 || (failed.length > 0 && !failed.some(({ step }) => touched.has(step.label)))) {
    return undefined;
  }
  return { labels: lost, left: names.flatMap((name) => found.get(name) ?? []).toReversed() };
}

/** These steps, and all that come after them. */
function reachOf(labels: readonly string[], ended: readonly EndedStep[]): ReadonlySet<string> {
  const reached = new Set(labels);
  for (const { step } of ended) {
    if (step.dependsOn.some((label) => reached.has(label))) reached.add(step.label);
  }
  return reached;
}

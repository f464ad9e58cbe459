/** What becomes of each step, once it is known which have changed: an unchanged one is built all the same where its image is gone. */
import pLimit from 'p-limit';
import { CALLS_AT_ONCE } from '../core/calls-at-once.js';
import type { Fate, Hold } from '../core/memory.js';
import type { Plan, PlannedStep } from '../core/plan.js';
import { IMAGE_GONE } from './explain.js';

export interface Known {
  readonly plan: Plan;
  /** By label: the steps whose artifacts its context holds. */
  readonly producers: ReadonlyMap<string, readonly PlannedStep[]>;
  /** By label, of each step that has changed: why. */
  readonly changed: ReadonlyMap<string, readonly string[]>;
  /** By label, of each that has not: its image ID. */
  readonly results: ReadonlyMap<string, string>;
  /** Whether artifacts are written to the work directory. */
  readonly keepArtifacts: boolean;
  /** Whether the command of an unchanged step need not run again. */
  readonly leavesOutCommand: (step: PlannedStep) => boolean;
}

/**
 * Where nothing is to be done, since all names are where they belong: asked as one, which is as good as holding each.
 * @param found asked where only names are left to decide: those of the plan → image IDs, as of this session
 */
export async function namedAlready(
  known: Known,
  found: () => Promise<ReadonlyMap<string, string>>,
): Promise<ReadonlyMap<string, Fate> | undefined> {
  const { steps } = known.plan;
  if (known.changed.size > 0 || steps.some((step) => hasWork(step, known))) return undefined;
  const names = await found();
  const fates = new Map<string, Fate>();
  for (const { label, keep, imageName } of steps) {
    const imageId = known.results.get(label);
    if (imageId === undefined || (keep && names.get(imageName) !== imageId)) return undefined;
    fates.set(label, { kind: keep ? 'named' : 'leave', imageId });
  }
  return fates;
}

/**
 * What is needed of the unchanged steps is there or is built, from the last step to the first.
 * @param forget called with the image of a step that is gone
 */
export async function decideFates(
  known: Known,
  hold: Hold,
  forget: (label: string, imageId: string) => void,
): Promise<ReadonlyMap<string, Fate>> {
  const { plan, producers } = known;
  const fates = new Map<string, Fate>();
  const wanted = new Set<string>();
  const held = await holdNeeded(known, hold);
  const fateOf = async (step: PlannedStep): Promise<Fate> => {
    const { label } = step;
    const imageId = known.results.get(label);
    const why = known.changed.get(label);
    if (why !== undefined || imageId === undefined) return { kind: 'build', why: why ?? [] };
    if (!wanted.has(label) && !isNeeded(step, known)) return { kind: 'leave', imageId };
    const command = known.leavesOutCommand(step) ? 'left out' : 'runs';
    if (held.get(label) ?? (await hold(label, imageId))) return { kind: 'reuse', imageId, command };
    forget(label, imageId);
    return { kind: 'build', why: [IMAGE_GONE] };
  };
  for (const step of plan.steps.toReversed()) {
    const fate = await fateOf(step);
    fates.set(step.label, fate);
    if (fate.kind !== 'build') continue;
    for (const label of step.dependsOn) wanted.add(label);
    for (const { label } of producers.get(step.label) ?? []) wanted.add(label);
  }
  return new Map(plan.steps.map(({ label }) => [label, fates.get(label) ?? { kind: 'build', why: [] }]));
}

/**
 * By label: whether the image is there. Those that are needed in any case are held at the same time, for each takes a call; where one
 * fails, no more are begun.
 */
async function holdNeeded(known: Known, hold: Hold): Promise<ReadonlyMap<string, boolean>> {
  const atOnce = pLimit(CALLS_AT_ONCE);
  const held = new Map<string, boolean>();
  let hasFailed = false;
  const holds = known.plan.steps.map((step) =>
    atOnce(async () => {
      const imageId = known.results.get(step.label);
      if (hasFailed || imageId === undefined || known.changed.has(step.label) || !isNeeded(step, known))
        return;
      try {
        held.set(step.label, await hold(step.label, imageId));
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }),
  );
  for (const each of await Promise.allSettled(holds)) if (each.status === 'rejected') throw each.reason;
  return held;
}

/** Whether the image of an unchanged step must be there, even if no other step is built. */
function isNeeded(step: PlannedStep, known: Known): boolean {
  return step.keep || hasWork(step, known);
}

/** Whether something is done with the image of an unchanged step, besides naming it. */
function hasWork(step: PlannedStep, known: Known): boolean {
  const { command, afterBuildCommand, artifacts } = step;
  if (afterBuildCommand !== undefined) return true;
  if (known.keepArtifacts && artifacts.length > 0) return true;
  return command !== undefined && !known.leavesOutCommand(step);
}

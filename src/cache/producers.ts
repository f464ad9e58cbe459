/** Whose artifacts a step gets. */
import type { Plan, PlannedStep } from '../core/plan.js';

/** By label: the steps whose artifacts lie in its context, in the order of the plan. */
export function producersOf({ steps }: Plan): ReadonlyMap<string, readonly PlannedStep[]> {
  const before = new Map<string, ReadonlySet<string>>();
  const producers = new Map<string, readonly PlannedStep[]>();
  for (const { label, dependsOn } of steps) {
    const all = new Set(dependsOn.flatMap((dependency) => [dependency, ...(before.get(dependency) ?? [])]));
    before.set(label, all);
    producers.set(
      label,
      steps.filter((step) => all.has(step.label) && step.artifacts.length > 0),
    );
  }
  return producers;
}

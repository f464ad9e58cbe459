/** Cleans and squashes what was built, as far as a step asks for it. */
import { cleanUp } from './cleanup.js';
import type { PlannedStep } from './plan.js';
import type { ImageDescription } from './ports.js';
import { forgetRemoved, removeReplaced, squashImage, warnOfStuckLayers } from './squash.js';
import type { StepReporter } from './step-reporter.js';
import type { StepSettings } from './step.js';

/** @returns the image ID */
export async function reduceImage(
  step: PlannedStep,
  built: ImageDescription,
  since: number,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<string> {
  const { cleanup, squash, base, label } = step;
  const { engine, session } = settings;
  const tag = session.tagOf(label);
  const source =
    cleanup === undefined ? tag : await cleanUp({ cleanup, image: built, label }, settings, report, signal);
  report.phase('squash');
  const request = { scope: squash ?? 'nothing', base, built, tag, source } as const;
  const squashed = await squashImage(request, engine, session, signal);
  report.squashed(built, squashed);
  if (source !== tag) await engine.removeImage(source, { noPrune: true });
  await removeReplaced(built.id, base, engine, session);
  if (squash === undefined) return squashed.imageId;
  await forgetRemoved(squashed, step, since, settings, report, signal);
  warnOfStuckLayers(squashed, report);
  return squashed.imageId;
}

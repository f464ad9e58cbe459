/** Before names are given: all that will leave the build is searched for its secrets. */
import type { EndedStep } from './run-steps.js';
import { EngineError } from './errors.js';
import type { Plan, PlannedBase } from './plan.js';
import type { Engine } from './ports.js';
import type { RunningBuild } from './running-build.js';
import type { Leaving, LeavingImage } from './secrets.js';
import { isPrefix } from './squash-load.js';

export async function leavingOf(
  { plan, engine, session, settings, signal }: RunningBuild,
  ended: readonly EndedStep[],
): Promise<Leaving> {
  const images: LeavingImage[] = [];
  for (const { step, outcome } of ended) {
    if (!step.keep || outcome.status !== 'succeeded') continue;
    const tag = session.tagOf(step.label);
    const image = await engine.describeImage(tag, signal);
    if (image === undefined) throw new EngineError(`the image of ${step.label} is gone before its proof`);
    images.push({
      step: step.label,
      imageId: outcome.value,
      names: [step.imageName],
      layers: image.layers,
      baseLayers: await foreignLayers(outsideBase(plan, step.base), image.layers, engine, signal),
      save: (stop) => engine.archives.saveImages([tag], stop),
    });
  }
  // They will be written to the work directory.
  const artifacts = settings.keepArtifacts
    ? plan.steps.flatMap(({ label }) =>
        session.artifactsOf(label).map((artifact) => ({ step: label, artifact })),
      )
    : [];
  return { images, artifacts };
}

/** What no step of this build has made: the layers of other steps' images leave with this one. */
function outsideBase(plan: Plan, base: PlannedBase): PlannedBase {
  if (base.kind !== 'step') return base;
  const below = plan.steps.find(({ label }) => label === base.label);
  if (below === undefined) throw new Error(`no step ${base.label}`);
  return outsideBase(plan, below.base);
}

/** Where the engine does not know the base (BuildKit keeps bases to itself), its layers are searched with the others. */
async function foreignLayers(
  base: PlannedBase,
  layers: readonly string[],
  engine: Engine,
  signal: AbortSignal,
): Promise<number> {
  if (base.kind !== 'image') return 0;
  const known = await engine.describeImage(base.reference, signal);
  return known !== undefined && isPrefix(known.layers, layers) ? known.layers.length : 0;
}

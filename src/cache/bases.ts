/** The images from elsewhere that a step is built from: which ones they are by now, and what they do to the build. */
import { baseImages } from '../core/base-images.js';
import type { PlannedStep } from '../core/plan.js';
import type { Engine, ImageDescription } from '../core/ports.js';
import { unpredictable } from './unpredictable.js';

export type Bases =
  /** Something that they do can come out in another way every time; one sentence without final period. */
  | { readonly why: string }
  /** Reference → image ID; `readContext`: ONBUILD triggers may do so. */
  | { readonly bases: Readonly<Record<string, string>>; readonly readContext: boolean };

/**
 * @param images by reference, those that were looked at already; others are added
 * @throws EngineError, or the signal's reason
 */
export async function lookAtBases(
  step: PlannedStep,
  images: Map<string, Promise<ImageDescription | undefined>>,
  engine: Engine,
  signal: AbortSignal,
): Promise<Bases> {
  const bases: Record<string, string> = {};
  let readContext = false;
  for (const { image: reference } of baseImages(step)) {
    const image = images.get(reference) ?? engine.describeImage(reference, signal);
    images.set(reference, image);
    const found = await image;
    bases[reference] = found?.id ?? 'not on the engine';
    const triggers = found?.onBuild ?? [];
    if (triggers.length === 0) continue;
    readContext = true;
    const why = unpredictable(Buffer.from(`${triggers.join('\n')}\n`), step.args);
    if (why !== undefined) return { why };
  }
  return { bases, readContext };
}

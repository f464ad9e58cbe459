/** The images from elsewhere that a step is built from: which ones they are by now, and what they do to the build. */
import pLimit from 'p-limit';
import { baseImages } from '../core/base-images.js';
import { CALLS_AT_ONCE } from '../core/calls-at-once.js';
import type { PlannedStep } from '../core/plan.js';
import type { Engine, ImageDescription } from '../core/ports.js';
import { unpredictable } from './unpredictable.js';

export type Bases =
  /** Something that they do can come out in another way every time; one sentence without final period. */
  | { readonly why: string }
  /** Reference → image ID; `readContext`: ONBUILD triggers may do so. */
  | { readonly bases: Readonly<Record<string, string>>; readonly readContext: boolean };

/** Looks at each image once, however many steps are built from it. @returns by reference; rejects as `Engine.describeImage` */
export function lookOnce(
  engine: Engine,
  signal: AbortSignal,
): (reference: string) => Promise<ImageDescription | undefined> {
  const atOnce = pLimit(CALLS_AT_ONCE);
  const images = new Map<string, Promise<ImageDescription | undefined>>();
  return (reference) => {
    const image = images.get(reference) ?? atOnce(() => engine.describeImage(reference, signal));
    images.set(reference, image);
    return image;
  };
}

/** @param look as `lookOnce` gives it; what it throws is thrown */
export async function lookAtBases(step: PlannedStep, look: ReturnType<typeof lookOnce>): Promise<Bases> {
  const bases: Record<string, string> = {};
  let readContext = false;
  for (const { image: reference } of baseImages(step)) {
    const found = await look(reference);
    bases[reference] = found?.id ?? 'not on the engine';
    const triggers = found?.onBuild ?? [];
    if (triggers.length === 0) continue;
    readContext = true;
    const why = unpredictable(Buffer.from(`${triggers.join('\n')}\n`), step.args);
    if (why !== undefined) return { why };
  }
  return { bases, readContext };
}

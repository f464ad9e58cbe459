/** The images that a step takes from elsewhere: those of its Dockerfile that no step of the plan makes. */
import { findImageReferences, type ImageReference } from '../dockerfile/references.js';
import type { PlannedStep } from './plan.js';

/** Each image once, where the Dockerfile names it first. */
export function baseImages({ dockerfile, args, target }: PlannedStep): readonly ImageReference[] {
  const ours = new Set(dockerfile.references.map(({ start }) => start));
  const options = { buildArgs: args, ...(target !== undefined && { target }) };
  const named = new Map<string, ImageReference>();
  for (const reference of findImageReferences(dockerfile.content, options)) {
    if (!ours.has(reference.start) && !named.has(reference.image)) named.set(reference.image, reference);
  }
  return [...named.values()];
}

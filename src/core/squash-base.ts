/** Which layers stay when an image is squashed: those of a base, or the lowest so many. */
import { UsageError } from './errors.js';
import type { EmitImageEvent } from './image-api.js';
import { findImage, type Connect, type FoundImage, type ImageInput } from './image-input.js';

/** What a user says stays; `scratch` is no layer. */
export type Stays =
  { readonly kind: 'layers'; readonly count: number } | { readonly kind: 'base'; readonly input: ImageInput };

/** @returns how many layers, at least one less than the image has @throws UsageError */
export async function countStaying(
  stays: Stays,
  image: FoundImage,
  connect: Connect,
  emit: EmitImageEvent,
  signal: AbortSignal,
): Promise<number> {
  const { label, layers } = image;
  if (layers.length === 0) throw new UsageError(`${label} has no layers: there is nothing to squash`);
  const count =
    stays.kind === 'layers'
      ? stays.count
      : lengthOfBase(await findImage(stays.input, connect, emit, signal), image);
  if (count < layers.length) return count;
  if (count === layers.length)
    throw new UsageError(`there is nothing to squash: all ${count} layers of ${label} are to stay`, {
      hint: 'Name a lower base with --from, or squash all layers into one with "--from scratch".',
    });
  throw new UsageError(`${label} has ${layers.length} layers, so ${count} cannot stay`, {
    hint: `Give a number below ${layers.length}, or a base image.`,
  });
}

function lengthOfBase(base: FoundImage, image: FoundImage): number {
  const differs = base.layers.findIndex((layer, index) => layer !== image.layers[index]);
  if (differs === -1) return base.layers.length;
  const [ours, theirs] = [image.layers[differs], base.layers[differs]];
  const why =
    ours === undefined
      ? `it has ${base.layers.length} layers, and ${image.label} only ${image.layers.length}`
      : `layer ${differs + 1} is ${short(theirs)}, but ${short(ours)} in ${image.label}`;
  throw new UsageError(`${base.label} is no base of ${image.label}: ${why}`, {
    hint: 'Was the base updated since? Give the version it was built on, or the number of layers to keep.',
  });
}

function short(diffId = ''): string {
  return diffId.slice(0, 'sha256:'.length + 12);
}

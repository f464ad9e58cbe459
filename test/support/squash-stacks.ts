/** Many random stacks of layers in a few images: each stack lies in a folder of its own. */
import fc from 'fast-check';
import { stacks } from './image-stacks.js';
import { tar, type TarItem } from './image-tar.js';

/** Stacks whose bases have as many layers. */
export interface StackBatch {
  readonly baseLayers: number;
  readonly stacks: number;
  /** Tars, base first. */
  readonly layers: readonly Buffer[];
}

/**
 * The same seed gives the same stacks. What no engine's export tells is compared by the unit tests only: extended attributes
 * other than `security.capability`.
 */
export function stackBatches(count: number, seed: number): readonly StackBatch[] {
  // Engines date a folder without an entry by the clock: nothing could be compared.
  const samples = fc.sample(stacks({ missingParents: false }), { numRuns: count, seed });
  const bases = [...new Set(samples.map(({ baseLayers }) => baseLayers))];
  return bases.map((baseLayers) => {
    const batch = samples.filter((stack) => stack.baseLayers === baseLayers);
    const depth = Math.max(...batch.map(({ layers }) => layers.length));
    const layers = Array.from({ length: depth }, (_, layer) =>
      tar(batch.flatMap((stack, index) => inFolder(folderOf(index), stack.layers[layer] ?? [], layer))),
    );
    return { baseLayers, stacks: batch.length, layers };
  });
}

function folderOf(index: number): string {
  return `s${String(index).padStart(3, '0')}`;
}

/** The folder of the stack that a path lies in. */
export function stackOf(path: string): string | undefined {
  return /^s\d{3}(?=\/|$)/.exec(path)?.[0];
}

function inFolder(folder: string, items: readonly TarItem[], layer: number): TarItem[] {
  if (items.length === 0 && layer > 0) return [];
  const top: TarItem = { name: `${folder}/`, type: '5', mode: 0o755, mtime: '7' };
  return [
    top,
    ...items.map((item) => ({
      ...item,
      name: `${folder}/${item.name}`,
      ...(item.type === '1' && { linkname: `${folder}/${item.linkname ?? ''}` }),
    })),
  ];
}

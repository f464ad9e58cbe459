/** What a search tells, as reports and displays have it. */
import type { ProofFinding } from '../core/secrets.js';
import type { ImageFinding } from './prove-image.js';
import type { Unsearched } from './search-report.js';

/** Without a final period. */
export function describeUnsearched({ within, reason }: Unsearched): string {
  return within.length === 0
    ? `not searched whole: ${reason}`
    : `${within.join(' › ')} not searched: ${reason}`;
}

export function whereIn(
  place: ImageFinding['place'],
): Pick<ProofFinding, 'kind' | 'layer' | 'instruction' | 'path'> {
  switch (place.kind) {
    case 'layer': {
      const { kind, layer, path, instruction } = place;
      return { kind, layer, path, ...(instruction !== undefined && { instruction }) };
    }
    case 'history':
      return { kind: 'history', instruction: place.instruction, path: [] };
    case 'env':
      return { kind: 'env', path: [place.variable] };
    case 'label':
      return { kind: 'label', path: [place.label] };
    case 'config':
      return { kind: 'config', path: place.key === '' ? [] : [place.key] };
    case 'name':
      return { kind: 'name', path: [place.name] };
    case 'document':
      return { kind: 'config', path: [place.path] };
  }
}

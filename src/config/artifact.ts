/** One artifact of a step: `SOURCE[:DEST]`. */
import { posix } from 'node:path';
import type { ArtifactSpec } from '../core/plan.js';

export type ParsedArtifact =
  | { readonly kind: 'artifact'; readonly artifact: ArtifactSpec }
  /** `message` follows what the artifact is called, e.g. `has no source`. */
  | { readonly kind: 'invalid'; readonly message: string; readonly hint: string };

/**
 * SOURCE is a path in the image, from its root even when written without the first `/`; DEST a folder, from the work
 * directory even when written with one. Paths come out as {@link ArtifactSpec} wants them.
 */
export function parseArtifact(text: string): ParsedArtifact {
  const invalid = (message: string, hint: string): ParsedArtifact => ({ kind: 'invalid', message, hint });
  const [written = '', folder = '', ...more] = text.split(':');
  if (more.length > 0) {
    return invalid('has more than one ":"', 'write SOURCE:DEST, or SOURCE alone');
  }
  if (written === '') return invalid('has no source', 'write SOURCE:DEST, or SOURCE alone');
  const source = trimSlash(posix.normalize(`/${written}`));
  if (source === '') {
    return invalid('is the whole image', 'name a file or folder in the image');
  }
  const destination = trimSlash(posix.normalize(folder.replace(/^\/+/, '')));
  if (destination === '..' || destination.startsWith('../')) {
    return invalid(
      'would lie outside the work directory',
      'name a folder in the work directory, without ".." at its beginning',
    );
  }
  return { kind: 'artifact', artifact: { source, destination: destination === '.' ? '' : destination } };
}

function trimSlash(path: string): string {
  return path.replace(/\/+$/, '');
}

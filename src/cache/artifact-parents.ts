/** The folders of a context that artifacts need to stand in: how they look is the context's, even where it ignores them. */
import { basename, join, relative } from 'node:path';
import type { ArtifactSpec } from '../core/plan.js';
import { parentOf, toLatin1 } from '../tar/paths.js';

/** @returns paths relative to the context, latin1, without repeats */
export function artifactParents(
  artifacts: readonly ArtifactSpec[],
  workDirectory: string,
  context: string,
): readonly string[] {
  const parents = new Set<string>();
  for (const { source, destination } of artifacts) {
    const name = basename(source);
    const place = toLatin1(relative(context, join(workDirectory, destination, name)));
    if (place === '' || place === '..' || place.startsWith('../')) continue;
    // The root of an image brings what it holds, not itself.
    for (let at = name === '' ? place : parentOf(place); at !== ''; at = parentOf(at)) parents.add(at);
  }
  return [...parents];
}

/**
 * Lets builders take artifacts straight out of their image. What the classic builder takes from a context it gives to root, by
 * which setuid bits and capabilities go; what it takes from an image it leaves as it is. BuildKit keeps both, but copies from an
 * image inside the engine.
 */
import { join, relative } from 'node:path';
import { copyFromImage, findContextCopies, type RedirectedCopy } from '../dockerfile/copy-sources.js';
import type { Artifact } from '../tar/artifact.js';
import { compileIgnore, type IgnoreMatcher } from '../tar/ignore.js';
import { collectArtifacts, type Overlaid } from '../tar/overlay-artifacts.js';
import { toLatin1 } from '../tar/paths.js';
import { folderAt, walk } from '../tar/walk.js';
import type { ArtifactSpec, PlannedStep } from './plan.js';

/** The artifacts that one step has handed off, and the name of its image. */
export interface ImageArtifacts {
  readonly image: string;
  readonly artifacts: readonly Artifact[];
}

/** Where a source of a COPY lies in the image that it comes from. */
interface Place {
  readonly image: string;
  readonly path: string;
}

/**
 * Those COPY instructions whose result differs in owners and modes only when they copy from an image: their sources are
 * artifacts of one step, or lie in such, and nothing of the context folder or of other artifacts lies among them.
 * @throws ContextError when artifacts contradict each other, or the context folder cannot be read
 */
export async function copiesFromImages(
  { context: directory, dockerfile }: Pick<PlannedStep, 'context' | 'dockerfile'>,
  workDirectory: string,
  producers: readonly ImageArtifacts[],
  signal: AbortSignal,
): Promise<readonly RedirectedCopy[]> {
  const copies = findContextCopies(dockerfile.content);
  const artifacts = producers.flatMap((producer) => producer.artifacts);
  if (copies.length === 0 || artifacts.length === 0) return [];
  const overlaid = collectArtifacts({ directory, workDirectory, artifacts });
  const ignore = dockerfile.ignore === undefined ? undefined : compileIgnore(dockerfile.ignore);

  const placeOf = async (path: string): Promise<Place | undefined> => {
    const artifact = soleArtifact(overlaid, toLatin1(path));
    const image = producers.find((producer) => artifact && producer.artifacts.includes(artifact))?.image;
    if (artifact === undefined || image === undefined) return undefined;
    const inImage = pathInImage(artifact.source, relative(workDirectory, join(directory, path)));
    if (madeForContainers(inImage)) return undefined;
    if (await addsToArtifact(directory, path, overlaid, ignore, signal)) return undefined;
    return { image, path: inImage };
  };

  const redirected: RedirectedCopy[] = [];
  for (const copy of copies) {
    const places = await Promise.all(copy.sources.map(({ path }) => placeOf(path)));
    const image = places[0]?.image;
    const paths = places.flatMap((place) => (place?.image === image && place ? [place.path] : []));
    if (image === undefined || paths.length < places.length) continue;
    const changed = copyFromImage(copy, image, paths);
    if (changed !== undefined) redirected.push(changed);
  }
  return redirected;
}

/**
 * The artifact that a file or a folder comes from with all that it holds. None for a symlink, which is followed below
 * another root in an image than in a context; none for an empty folder: COPY takes nothing of it, and a container has
 * some that its image has not (WORKDIR, VOLUME).
 */
function soleArtifact(overlaid: ReadonlyMap<string, Overlaid>, path: string): Artifact | undefined {
  const found = overlaid.get(path);
  if (found?.type !== 'artifact') return undefined;
  const { type } = found.entry;
  if (type === 'file') return found.artifact;
  if (type !== 'directory') return undefined;
  const inside = [...overlaid].filter(([other]) => other.startsWith(`${path}/`));
  const alone = inside.every(([, over]) => over.type === 'artifact' && over.artifact === found.artifact);
  return alone && inside.length > 0 ? found.artifact : undefined;
}

/** @param path of the artifact or below it, relative to the work directory */
function pathInImage({ source, destination }: ArtifactSpec, path: string): string {
  const root = join(destination, source.slice(source.lastIndexOf('/') + 1));
  return join(source, root === '.' ? path : path.slice(root.length));
}

/** What every container gets in place of what its image has. */
const CONTAINER_FOLDERS = ['/dev', '/proc', '/sys'];
const CONTAINER_FILES = ['/.dockerenv', '/etc/hostname', '/etc/hosts', '/etc/mtab', '/etc/resolv.conf'];

/** Whether artifacts, which are taken out of a container, may differ from the image here. */
function madeForContainers(path: string): boolean {
  const folder = path === '/' ? path : `${path}/`;
  return (
    CONTAINER_FOLDERS.some((other) => folder.startsWith(`${other}/`) || other.startsWith(folder)) ||
    CONTAINER_FILES.some((other) => other === path || other.startsWith(folder))
  );
}

/** Whether the context folder has files inside a folder of an artifact that do not come from the artifact. */
async function addsToArtifact(
  directory: string,
  path: string,
  overlaid: ReadonlyMap<string, Overlaid>,
  ignore: IgnoreMatcher | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const prefix = `${toLatin1(path)}/`;
  if (folderAt(directory, toLatin1(path)) === undefined) return false;
  const below: IgnoreMatcher | undefined = ignore && {
    ignores: (inside) => ignore.ignores(prefix + inside),
    mayContainIncluded: (inside) => ignore.mayContainIncluded(prefix + inside),
  };
  for await (const { entry } of walk(join(directory, path), below, signal)) {
    if (!overlaid.has(prefix + entry.path)) return true;
  }
  return false;
}

/** Images: described, named, listed and removed; which image has which name is asked in image-names.ts. */
import { EngineError } from '../core/errors.js';
import { isRemovalName, SESSION_REPOSITORY } from '../core/marks.js';
import type { EngineInfo, ImageDescription } from '../core/ports.js';
import { listOf, textOf } from './shape.js';
import type { Call, Transport } from './transport.js';

const LOOK_TRIES = 10;

/** The parts of the Engine API's image inspect that are read. */
interface InspectedImage {
  readonly Id: string;
  readonly Size: number;
  readonly Parent?: string;
  readonly RepoTags?: readonly string[] | null;
  readonly RootFS?: { readonly Layers?: readonly string[] | null } | null;
  readonly Config?: {
    readonly User?: string;
    readonly Shell?: readonly string[] | null;
    readonly Env?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly OnBuild?: readonly string[] | null;
    readonly Volumes?: Readonly<Record<string, unknown>> | null;
  } | null;
}

/** @returns `undefined` where the engine has none, also since no image can have such a name */
export async function inspectImage(
  transport: Transport,
  reference: string,
  signal?: AbortSignal,
): Promise<InspectedImage | undefined> {
  if (!CAN_BE_ASKED.test(reference)) return undefined;
  for (let tries = 1; ; tries += 1) {
    try {
      const purpose = `describe the image ${reference}`;
      const path = `/images/${reference}/json`;
      const answer = await transport.json({ method: 'GET', path, signal, purpose });
      textOf(answer, 'Id', purpose);
      return answer as InspectedImage;
    } catch (error) {
      if (isGone(error)) return undefined;
      if (!isDisturbed(error) || tries === LOOK_TRIES) throw error;
    }
  }
}

/** Whatever else stands in a path asks for something else: a query, an escape, a segment that servers clean away. */
const CAN_BE_ASKED = /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[\w.:@/-]+$/;

/** Also where graphdrivers meet somebody who removes the image at the same time: 20.10, or 28.5, whose layers go first. */
function isGone(error: unknown): boolean {
  if (!(error instanceof EngineError)) return false;
  const { status, message } = error;
  return status === 404 || isMissingFile(error) || GONE.some((words) => message.includes(words));
}

const GONE = ['unrecognized image ID', 'layer does not exist', 'invalid reference format'];

function isMissingFile({ message }: EngineError): boolean {
  return message.includes('failed to get digest sha256:');
}

/** How the containerd store puts it when an image changes while it looks at it (seen on 28.5). */
function isDisturbed(error: unknown): boolean {
  return error instanceof EngineError && error.message.includes('data changed during operation, retry');
}

export async function describeImage(
  transport: Transport,
  reference: string,
  signal?: AbortSignal,
): Promise<ImageDescription | undefined> {
  const image = await inspectImage(transport, reference, signal);
  if (image === undefined) return undefined;
  const config = image.Config ?? {};
  return {
    id: image.Id,
    layers: image.RootFS?.Layers ?? [],
    size: image.Size,
    user: config.User ?? '',
    ...(config.Shell && { shell: config.Shell }),
    env: config.Env ?? [],
    ...(image.Parent !== undefined && image.Parent !== '' && { parent: image.Parent }),
    volumes: Object.keys(config.Volumes ?? {}),
    names: namesOf(image),
    workingDir: config.WorkingDir ?? '',
    onBuild: config.OnBuild ?? [],
  };
}

/** See Engine.tagImage; the error has status 404 also where the image goes at that moment. */
export async function tagImage(transport: Transport, reference: string, name: string): Promise<void> {
  try {
    await giveName(transport, reference, name);
  } catch (error) {
    if (!(error instanceof EngineError) || !isMissingFile(error)) throw error;
    await takeName(transport, name);
    throw new EngineError(error.message, { status: 404, cause: error });
  }
}

async function giveName(transport: Transport, reference: string, name: string): Promise<void> {
  const { repository, tag } = splitName(name);
  await transport.json({
    method: 'POST',
    path: `/images/${reference}/tag`,
    query: { repo: repository, tag },
    pace: 'quick',
    purpose: `give the image ${reference} the name ${name}`,
  });
}

/**
 * See Engine.holdImage. A graphdriver's engine that removes an image takes the names that it gets meanwhile along with it, some time
 * after it has given them. It does such work in turn: a name that is given anew waits for the removal of names, and a list of images for
 * that of images.
 */
export async function holdImage(
  transport: Transport,
  store: EngineInfo['store'],
  imageId: string,
  name: string,
): Promise<boolean> {
  const give = async (): Promise<boolean> => {
    try {
      await tagImage(transport, imageId, name);
      return true;
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return false;
      throw error;
    }
  };
  if (!(await give())) return false;
  if (store === 'containerd') return true;
  const isHeld = (await give()) && (await isListed(transport, imageId, name));
  if (!isHeld) await takeName(transport, name);
  return isHeld;
}

async function isListed(transport: Transport, imageId: string, name: string): Promise<boolean> {
  const filters = JSON.stringify({ reference: [name] });
  const listed = await listImages(transport, { filters });
  return listed.some(({ Id }) => Id === imageId);
}

/**
 * Take a name that the engine does not remove: it moves to another image first. Of an image that was removed in the moment in which it
 * got a name, a graphdriver's engine may keep that unseen (seen on 20.10 and 28.5), and an image that comes to be with that ID has it.
 * @param from ID of the image that it has
 */
export async function takeName(
  transport: Transport,
  name: string,
  { from, noPrune }: { readonly from?: string; readonly noPrune?: boolean } = {},
): Promise<void> {
  // The oldest first: what was built just now may lose its own name in this moment, and goes with this one then.
  const others = (await listNamedImages(transport)).filter((image) => image !== from).toReversed();
  for (const other of others) {
    try {
      await giveName(transport, other, name);
    } catch (error) {
      // Somebody has removed it since.
      if (isGone(error)) continue;
      throw error;
    }
    await deleteImage(transport, name, { noPrune });
    return;
  }
  // There is none: whoever collects what this process has left takes the name.
}

/** `host:5000/a/b:tag` → repository and tag; the tag is `latest` when there is none. */
export function splitName(name: string): { repository: string; tag: string } {
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  if (colon === -1) return { repository: name, tag: 'latest' };
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1) };
}

/** The registry of a repository; Docker Hub's is not written. */
export function registryOf(repository: string): string {
  const [first = '', ...rest] = repository.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

/** @returns the IDs of images that are gone with it; `used` where it stays for that, without `force`; `absent` where there was none */
export async function deleteImage(
  transport: Transport,
  reference: string,
  options: { readonly force?: boolean | undefined; readonly noPrune?: boolean | undefined } = {},
): Promise<readonly string[] | 'used' | 'absent'> {
  const purpose = `remove the image ${reference}`;
  try {
    const answer = await transport.json({
      method: 'DELETE',
      path: `/images/${reference}`,
      query: { ...(options.force && { force: '1' }), ...(options.noPrune && { noprune: '1' }) },
      purpose,
    });
    return listOf(answer ?? [], purpose).flatMap(
      ({ Deleted: id }: { readonly Deleted?: string }) => id ?? [],
    );
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (isGone(error)) return 'absent';
    if (error.status === 409 && options.force !== true) return 'used';
    throw error;
  }
}

/** The parts of an item of `GET /images/json` that are read. */
export interface ListedImage {
  readonly Id: string;
  readonly ParentId: string;
  /** Seconds since the epoch, by the engine's clock. */
  readonly Created: number;
  readonly RepoTags?: readonly string[] | null;
}

export async function listIntermediateImages(
  transport: Transport,
): Promise<readonly { id: string; parent: string }[]> {
  const images = await listImages(transport, { all: '1' });
  return images.flatMap((image) =>
    image.ParentId === '' || isNamed(image) ? [] : [{ id: image.Id, parent: image.ParentId }],
  );
}

/** @returns the IDs of images that have a name which is no session's, the youngest first */
export async function listNamedImages(transport: Transport): Promise<readonly string[]> {
  const images = await listImages(transport);
  const isLasting = (name: string): boolean => !name.startsWith(`${SESSION_REPOSITORY}/`);
  return images.filter((image) => namesOf(image).some(isLasting)).map(({ Id }) => Id);
}

/** Engines before 25 list it where there is no name. */
const NO_NAME = '<none>:<none>';

function namesOf({ RepoTags }: Pick<ListedImage, 'RepoTags'>): readonly string[] {
  return (RepoTags ?? []).filter((name) => name !== NO_NAME && !isRemovalName(name));
}

export function isNamed(image: Pick<ListedImage, 'RepoTags'>): boolean {
  return namesOf(image).length > 0;
}

/**
 * The containerd store answers 404 when an image is removed while it lists them (seen on 28.5): nothing else makes a list be
 * missing, so it is asked again.
 */
export async function listImages(
  transport: Transport,
  query: Call['query'] = {},
  signal?: AbortSignal,
): Promise<readonly ListedImage[]> {
  const purpose = 'list images';
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await transport.json({ method: 'GET', path: '/images/json', query, signal, purpose });
      return listOf(answer, purpose) as readonly ListedImage[];
    } catch (error) {
      const isTransient = (error instanceof EngineError && error.status === 404) || isDisturbed(error);
      if (!isTransient || tries === LOOK_TRIES) throw error;
    }
  }
}

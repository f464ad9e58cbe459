/** What a session has on an engine, found by its marks, and its removal. */
import pLimit from 'p-limit';
import { CALLS_AT_ONCE } from './calls-at-once.js';
import { SESSION_LABEL, sessionPrefix } from './marks.js';
import type { Unmarked } from './journal.js';
import { messageOf } from './naming.js';
import type { Engine, ImageName } from './ports.js';

export interface ImageRemoval {
  readonly force: boolean;
  readonly noPrune: boolean;
}

export interface Removed {
  readonly containers: number;
  /** Names, and images without one. */
  readonly images: number;
  /** What could not be removed, one sentence each without final period. */
  readonly problems: readonly string[];
}

/** Of a session: what may be on an engine. */
export interface Traces {
  readonly session: string;
  readonly unmarked: readonly Unmarked[];
  /** Which image names it may have, in the order of their removal; absent where nobody knows. */
  readonly names?: readonly string[];
}

/**
 * Remove every container and image of a session; tries everything, whatever fails.
 * @param signal once it is aborted nothing more is begun
 */
export async function removeTraces(
  engine: Engine,
  { session, unmarked, names }: Traces,
  removal: ImageRemoval,
  signal?: AbortSignal,
): Promise<Removed> {
  const problems: string[] = [];
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    if (signal?.aborted === true) return undefined;
    try {
      return await work();
    } catch (error) {
      problems.push(`${what}: ${messageOf(error)}`);
      return undefined;
    }
  };
  let containers = 0;
  await attempt(`containers of session ${session} may be left`, async () => {
    for (const { id } of await engine.listContainers(`${SESSION_LABEL}=${session}`)) {
      await attempt(`container ${id.slice(0, 12)} is left`, async () => {
        await engine.removeContainer(id);
        containers += 1;
      });
    }
  });
  for (const id of idsOf(unmarked, 'container')) {
    await attempt(`container ${id} is left`, async () => {
      if (await engine.removeRunContainer(id)) containers += 1;
    });
  }
  const prefix = sessionPrefix(session);
  let images = 0;
  const removeNameless = async (ids: readonly string[], noPrune: boolean): Promise<void> => {
    if (signal?.aborted === true) return;
    const { removed, failed } = await engine.removeNameless(ids, { noPrune });
    images += removed.length;
    for (const [id, error] of failed) problems.push(`image ${id} is left: ${messageOf(error)}`);
  };
  await attempt(`image names under ${prefix} may be left`, async () => {
    const tagged = await namesLeft(engine, prefix, names);
    // What becomes useless on the containerd store is found for all names at once: there each look takes tens of milliseconds.
    const isContainerd = engine.info.store === 'containerd';
    const options = isContainerd ? { ...removal, noPrune: true } : removal;
    // What is not pruned has to go before what it was made from.
    const atOnce = pLimit(removal.noPrune ? 1 : CALLS_AT_ONCE);
    await Promise.all(
      tagged.map(({ name }) =>
        atOnce(async () => {
          const isGone = await attempt(`image ${name} is left`, () => engine.removeImage(name, options));
          if (isGone === true) images += 1;
          if (isGone === false) problems.push(`image ${name} is left: a container uses it`);
        }),
      ),
    );
    if (isContainerd) await removeNameless(await useless(engine, tagged, removal), removal.noPrune);
  });
  const noted = idsOf(unmarked, 'image');
  const made: string[] = [];
  if (noted.length > 0) {
    await attempt(`images made from those of session ${session} may be left`, async () => {
      made.push(...descendants(noted, await engine.listIntermediateImages()));
    });
  }
  await removeNameless([...noted, ...made].toReversed(), true);
  return { containers, images, problems };
}

/** A list of all names below the prefix costs an engine much where it has many images: it is asked for only where it may tell more. */
async function namesLeft(
  engine: Engine,
  prefix: string,
  names: readonly string[] | undefined,
): Promise<readonly ImageName[]> {
  if (names?.length === 0) return [];
  // With a list the containerd store tells what images were made from, too.
  if (names === undefined || engine.info.store === 'containerd') return engine.listImageNames(prefix);
  const found = await engine.findNames(names);
  return names.flatMap((name) => {
    const imageId = found.get(name);
    return imageId === undefined ? [] : [{ name, imageId }];
  });
}

/**
 * What an engine that does not prune may keep of images whose names have been removed: itself, where another build has taken its
 * final name meanwhile, or what it was made from.
 * @returns IDs
 */
async function useless(
  engine: Engine,
  names: readonly ImageName[],
  { noPrune }: ImageRemoval,
): Promise<readonly string[]> {
  const atOnce = pLimit(CALLS_AT_ONCE);
  const images = [...new Map(names.map((name) => [name.imageId, name])).values()];
  const found = await Promise.all(
    images.map(({ imageId, parent }) =>
      atOnce(async () => {
        const image = await engine.describeImage(imageId);
        if (image?.names.length === 0) return [imageId];
        return image === undefined && parent !== undefined && !noPrune ? [parent] : [];
      }),
    ),
  );
  return found.flat();
}

/**
 * Images without a name that were made from these, older ones first: an engine makes one more image or two after the death of
 * who would have written them down.
 * @param ids whole or short
 */
function descendants(
  ids: readonly string[],
  images: readonly { readonly id: string; readonly parent: string }[],
): readonly string[] {
  const short = new Set(ids.map(shortOf));
  const found: string[] = [];
  for (let more = true; more;) {
    const next = images.filter(({ id, parent }) => short.has(shortOf(parent)) && !short.has(shortOf(id)));
    for (const { id } of next) {
      short.add(shortOf(id));
      found.push(id);
    }
    more = next.length > 0;
  }
  return found;
}

function shortOf(id: string): string {
  return id.replace('sha256:', '').slice(0, 12);
}

function idsOf(unmarked: readonly Unmarked[], wanted: Unmarked['kind']): readonly string[] {
  return unmarked.filter(({ kind }) => kind === wanted).map(({ id }) => id);
}

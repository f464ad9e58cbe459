/** What a session has on an engine, found by its marks, and its removal. */
import pLimit from 'p-limit';
import { CHANGES_AT_ONCE } from './calls-at-once.js';
import { SESSION_LABEL, sessionPrefix } from './marks.js';
import type { Unmarked } from './journal.js';
import { removeIfNameless } from './naming.js';
import type { Engine } from './ports.js';

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

/** Remove every container and image of a session; tries everything, whatever fails. */
export async function removeTraces(
  engine: Engine,
  session: string,
  unmarked: readonly Unmarked[],
  removal: ImageRemoval,
): Promise<Removed> {
  const problems: string[] = [];
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
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
  await attempt(`image names under ${prefix} may be left`, async () => {
    const { noPrune } = removal;
    const tagged = await engine.listImageNames(prefix);
    const atOnce = pLimit(CHANGES_AT_ONCE);
    await Promise.all(
      tagged.map(({ name }) =>
        atOnce(async () => {
          const isGone = await attempt(`image ${name} is left`, () => engine.removeImage(name, removal));
          if (isGone === true) images += 1;
          if (isGone === false) problems.push(`image ${name} is left: a container uses it`);
        }),
      ),
    );
    // The containerd store keeps an image whose final name another build has taken meanwhile, also without names.
    if (engine.info.store === 'containerd') {
      const ids = [...new Set(tagged.map(({ imageId }) => imageId))];
      await Promise.all(
        ids.map((id) =>
          atOnce(() => attempt(`image ${id} is left`, () => removeIfNameless(engine, id, { noPrune }))),
        ),
      );
    }
  });
  const noted = idsOf(unmarked, 'image');
  const made: string[] = [];
  if (noted.length > 0) {
    await attempt(`images made from those of session ${session} may be left`, async () => {
      made.push(...descendants(noted, await engine.listIntermediateImages()));
    });
  }
  await attempt(`images that session ${session} made may be left`, async () => {
    images += (await engine.removeNameless([...noted, ...made].toReversed())).length;
  });
  return { containers, images, problems };
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

/** Gives final names to the images of a build that has succeeded: all of them or none, never a mixture of two builds. */
import { messageOf, nameAll, type Naming } from './naming.js';
import type { Engine } from './ports.js';
import { lockNames, type LockOptions } from './promotion-lock.js';
import type { Session } from './session.js';
import type { ImageRemoval } from './traces.js';

export interface Promotion extends Naming {
  /** Of the step whose image it is. */
  readonly label: string;
}

/**
 * Name the images. Images that lose their only name by it are removed, unless something still uses them.
 * Cancel is not heeded between the first and the last name; who dies there leaves a lock that says what was to be done.
 * @returns which replaced images could not be removed, one sentence each
 * @throws EngineError when a name could not be given; the names given before it have been taken back then
 */
export async function promote(
  engine: Engine,
  session: Session,
  promotions: readonly Promotion[],
  removal: ImageRemoval,
  options: LockOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const labels = new Map(promotions.map(({ name, label }) => [name, label]));
  const wanted = promotions.map(({ imageId, name }) => ({ imageId, name }));
  const { changes, unlock } = await lockNames(engine, session, wanted, options, signal);
  const replacing = changes.flatMap(({ name, imageId, previous }) =>
    previous === undefined
      ? []
      : [{ name, imageId, previous, sessionName: session.tagOf(labels.get(name) ?? '') }],
  );
  try {
    for (const { previous, imageId } of replacing) {
      session.note({ kind: 'image', id: previous });
      session.note({ kind: 'image', id: imageId });
    }
    await nameAll(engine, changes);
  } finally {
    await unlock?.();
  }
  // Newer ones first: the later of two steps may have been made from the earlier.
  const spareNames = new Map(
    replacing.toReversed().map(({ previous, sessionName }) => [previous, sessionName]),
  );
  const { noPrune } = removal;
  const { removed, failed } = await engine.removeNameless([...spareNames.keys()], { noPrune, spareNames });
  for (const id of removed) session.nameRemoved(spareNames.get(id) ?? '');
  if (failed.size > 0) session.keepJournal();
  const names = new Map(
    replacing.map(({ previous, name }) => [previous, `the image that was ${name} before`]),
  );
  return [...failed].map(
    ([id, error]) => `${names.get(id) ?? `the image ${id}`} is left without a name: ${messageOf(error)}`,
  );
}

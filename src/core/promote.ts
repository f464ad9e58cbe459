/** Gives final names to the images of a build that has succeeded: all of them or none, never a mixture of two builds. */
import { isDeepStrictEqual } from 'node:util';
import { messageOf, nameAll, nameChanges, type NameChange, type Naming } from './naming.js';
import type { Engine, EngineContainer } from './ports.js';
import { takeLock, type Recovery } from './promotion-lock.js';
import type { Session } from './session.js';
import type { ImageRemoval } from './traces.js';

export interface Promotion extends Naming {
  /** Of the step whose image it is. */
  readonly label: string;
}

/**
 * Name the images. Images that lose their only name by it are removed, unless something still uses them.
 * Cancel is not heeded between the first and the last name; who dies there leaves a lock that says what was to be done.
 * @param onRecovery called where a dead session's promotion was ended first
 * @returns which replaced images could not be removed, one sentence each
 * @throws EngineError when a name could not be given; the names given before it have been taken back then
 */
export async function promote(
  engine: Engine,
  session: Session,
  promotions: readonly Promotion[],
  removal: ImageRemoval,
  onRecovery: (recovery: Recovery) => void,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const labels = new Map(promotions.map(({ name, label }) => [name, label]));
  const wanted = promotions.map(({ imageId, name }) => ({ imageId, name }));
  const { changes, lock } = await prepare(engine, session, wanted, onRecovery, signal);
  const replacing = changes.flatMap(({ name, imageId, previous }) =>
    previous === undefined
      ? []
      : [{ name, imageId, previous, sessionName: session.tagOf(labels.get(name) ?? '') }],
  );
  // The names count: where this fails, disposing the session tries again and tells.
  const unlock = async (): Promise<void> => lock?.remove().catch(() => undefined);
  try {
    for (const { previous, imageId } of replacing) {
      session.note({ kind: 'image', id: previous });
      session.note({ kind: 'image', id: imageId });
    }
    await nameAll(engine, changes);
  } catch (error) {
    await unlock();
    throw error;
  }
  const spareNames = new Map(replacing.map(({ previous, sessionName }) => [previous, sessionName]));
  const { noPrune } = removal;
  const [{ failed }] = await Promise.all([
    engine.removeNameless([...spareNames.keys()], { noPrune, spareNames }),
    unlock(),
  ]);
  // A new image may have lost its new name to another build, which left it because this session still used it, or its lock. (Where
  // nobody can tell, all are looked at: who has a name keeps it.)
  const lost = await nameChanges(engine, replacing).catch(() => replacing);
  const orphans = lost.map(({ imageId }) => imageId);
  const { failed: stuck } = await engine.removeNameless(orphans, removal);
  const names = new Map(
    replacing.map(({ previous, name }) => [previous, `the image that was ${name} before`]),
  );
  return [...failed, ...stuck].map(
    ([id, error]) => `${names.get(id) ?? `the image ${id}`} is left without a name: ${messageOf(error)}`,
  );
}

interface Prepared {
  readonly changes: readonly NameChange[];
  /** Absent where one name at most changes: that cannot stop half-way. */
  readonly lock?: EngineContainer;
}

/** The lock says what is to be done, so it is made for that, and made anew when names have changed until it was there. */
async function prepare(
  engine: Engine,
  session: Session,
  promotions: readonly Naming[],
  onRecovery: (recovery: Recovery) => void,
  signal: AbortSignal,
): Promise<Prepared> {
  for (let changes = await nameChanges(engine, promotions, signal); ;) {
    signal.throwIfAborted();
    // Others may name a part of the same set meanwhile: it is the set that counts, not what differs.
    if (changes.length === 0 || promotions.length === 1) return { changes };
    const lock = await takeLock(engine, session, changes, onRecovery, signal);
    try {
      const now = await nameChanges(engine, promotions, signal);
      if (isDeepStrictEqual(now, changes)) return { changes, lock };
      changes = now;
    } catch (error) {
      await lock.remove().catch(() => undefined);
      throw error;
    }
    await lock.remove();
  }
}

/** Gives final names to the images of a build that has succeeded: all of them or none, never a mixture of two builds. */
import { isDeepStrictEqual } from 'node:util';
import { nameAll, nameChanges, removeReplaced, type NameChange, type Naming } from './naming.js';
import type { Engine, EngineContainer } from './ports.js';
import { takeLock, type Recovery } from './promotion-lock.js';
import type { Session } from './session.js';
import type { ImageRemoval } from './traces.js';

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
  promotions: readonly Naming[],
  removal: ImageRemoval,
  onRecovery: (recovery: Recovery) => void,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { changes, lock } = await prepare(engine, session, promotions, onRecovery, signal);
  try {
    for (const { previous } of changes) {
      if (previous !== undefined) session.note({ kind: 'image', id: previous });
    }
    await nameAll(engine, changes);
    return await removeReplaced(engine, changes, removal);
  } finally {
    // The names count: where this fails, disposing the session tries again and tells.
    await lock?.remove().catch(() => undefined);
  }
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

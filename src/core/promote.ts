/** Gives final names to the images of a build that has succeeded: all of them or none, never a mixture of two builds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from './errors.js';
import { nameAll, nameChanges, removeIfNameless, type NameChange, type Naming } from './naming.js';
import type { Engine } from './ports.js';
import type { ImageRemoval, Session } from './session.js';

/** `name` is the final one. */
export interface Promotion extends Naming {
  readonly label: string;
}

/** Taken by creating a container of this name, which an engine allows once: a lock that all hosts of an engine see. */
const LOCK_NAME = 'habitus-promotion';
const LOCK_POLL_MS = 50;
/** Naming takes milliseconds, so whoever is seen to hold the lock for this long is dead. */
const LOCK_STALE_MS = 30_000;

/**
 * Name the images. Images that lose their only name by it are removed, unless something still uses them.
 * Cancel is not heeded between the first and the last name.
 * @returns which replaced images could not be removed, one sentence each
 * @throws EngineError when a name could not be given; the names given before it have been taken back then
 */
export async function promote(
  engine: Engine,
  session: Session,
  promotions: readonly Promotion[],
  removal: ImageRemoval,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if ((await nameChanges(engine, promotions)).length === 0) return [];
  signal.throwIfAborted();
  const lock = promotions.length > 1 ? await takeLock(engine, session, promotions, signal) : undefined;
  let replaced: readonly NameChange[];
  try {
    replaced = await nameAll(engine, await nameChanges(engine, promotions));
  } finally {
    // The names count: where this fails, disposing the session tries again and tells.
    await lock?.remove().catch(() => undefined);
  }
  const problems: string[] = [];
  for (const { name, previous } of replaced) {
    if (previous === undefined) continue;
    await removeIfNameless(engine, previous, removal).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      problems.push(`the image that was ${name} before is left without a name: ${why}`);
    });
  }
  return problems;
}

async function takeLock(
  engine: Engine,
  session: Session,
  promotions: readonly Promotion[],
  signal: AbortSignal,
): Promise<{ remove(): Promise<void> }> {
  const [first] = promotions;
  if (first === undefined) throw new Error('nothing to promote');
  let holder: { readonly id: string; readonly since: number } | undefined;
  for (;;) {
    try {
      return await session.createContainer(
        {
          name: LOCK_NAME,
          image: session.tagOf(first.label),
          command: ['promotion'],
          network: 'none',
          limits: {},
        },
        signal,
      );
    } catch (error) {
      if (!(error instanceof EngineError) || error.status !== 409) throw error;
    }
    // An engine reserves the name before it can tell of the container.
    const id = await engine.findContainer(LOCK_NAME);
    if (id === undefined) holder = undefined;
    else if (holder?.id !== id) holder = { id, since: performance.now() };
    else if (performance.now() - holder.since > LOCK_STALE_MS) await engine.removeContainer(id);
    await sleep(LOCK_POLL_MS, undefined, { signal });
  }
}

/** The lock under which final names are given: it says what is to be done, so that its owner's death loses nothing. */
import { isDeepStrictEqual } from 'node:util';
import { removeDeadLock, sessionOf, takeLock } from './engine-lock.js';
import { changesFrom, nameChanges, removeIfNameless, type NameChange, type Naming } from './naming.js';
import type { Engine, LabelledVolume } from './ports.js';
import type { Session } from './session.js';

const LOCK_NAME = 'habitus-promotion';
/** What is to be done, as JSON of `NameChange[]`. */
const PROMOTION_LABEL = 'habitus.promotion';

/** How the promotion of a dead session was ended. */
export interface Recovery {
  readonly session: string;
  /** `undone`: a new image was gone, so the earlier ones have their names again. */
  readonly how: 'finished' | 'undone';
  readonly names: readonly string[];
}

/** One sentence without final period. */
export function describeRecovery({ session, how, names }: Recovery): string {
  const list = names.join(', ');
  switch (how) {
    case 'finished':
      return `session ${session} died while it gave names, which are all given now: ${list}`;
    case 'undone':
      return `session ${session} died while it gave names, which are what they were before: ${list}`;
  }
}

/** What differs from the names that are wanted, and nobody else changes names. */
export interface LockedNames {
  readonly changes: readonly NameChange[];
  /** To be called when the names are given; never rejects. Absent where nothing differs. */
  readonly unlock?: () => Promise<void>;
}

export interface LockOptions {
  /** Called where a dead session's promotion was ended first. */
  readonly onRecovery: (recovery: Recovery) => void;
  /** Which images had names a while ago, where that is known: mostly they still have them, and it need not be asked twice. */
  readonly before?: ReadonlyMap<string, string>;
}

/** The lock says what is to be done, so it is made for that, and made anew when names have changed until it was there. */
export async function lockNames(
  engine: Engine,
  session: Session,
  wanted: readonly Naming[],
  { onRecovery, before }: LockOptions,
  signal: AbortSignal,
): Promise<LockedNames> {
  let changes = before === undefined ? [] : changesFrom(before, wanted);
  if (changes.length === 0) changes = await nameChanges(engine, wanted, signal);
  for (;;) {
    signal.throwIfAborted();
    // Others may name a part of the same set meanwhile: it is the set that counts, not what differs.
    if (changes.length === 0) return { changes };
    const unlock = await lock(engine, session, changes, onRecovery, signal);
    try {
      const now = await nameChanges(engine, wanted, signal);
      if (isDeepStrictEqual(now, changes)) return { changes, unlock };
      changes = now;
    } catch (error) {
      await unlock();
      throw error;
    }
    await unlock();
  }
}

/** @param changes as they are when nobody else names anything */
async function lock(
  engine: Engine,
  session: Session,
  changes: readonly NameChange[],
  onRecovery: (recovery: Recovery) => void,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const onDead = async (dead: LabelledVolume): Promise<void> => {
    const recovery = await recover(engine, session, dead, signal);
    if (recovery !== undefined) onRecovery(recovery);
  };
  const labels = { [PROMOTION_LABEL]: JSON.stringify(changes) };
  await takeLock({ engine, session }, { name: LOCK_NAME, labels, onDead }, signal);
  // Where that fails, the session that takes it once more, or ends, tries again.
  return () => session.removeVolume(LOCK_NAME).catch(() => undefined);
}

/** End the promotion that a dead session has begun, if it has: each name is then what it was, or what it was to be. */
export async function recoverPromotion(
  engine: Engine,
  session: Session,
  dead: string,
  signal: AbortSignal,
): Promise<Recovery | undefined> {
  const found = await engine.findVolume(LOCK_NAME);
  return found !== undefined && sessionOf(found) === dead
    ? recover(engine, session, found, signal)
    : undefined;
}

async function recover(
  engine: Engine,
  session: Session,
  dead: LabelledVolume,
  signal: AbortSignal,
): Promise<Recovery | undefined> {
  const changes = readChanges(dead.labels[PROMOTION_LABEL]);
  const settle = async (): Promise<{ readonly ended: Ended | undefined }> => ({
    ended: await end(engine, changes),
  });
  const settled = await removeDeadLock({ engine, session }, dead, settle, signal);
  if (settled === undefined) return undefined;
  for (const { previous } of changes) {
    if (previous !== undefined) await removeIfNameless(engine, previous);
  }
  const { ended } = settled;
  return ended === undefined ? undefined : { session: sessionOf(dead) ?? 'unknown', ...ended };
}

type Ended = Omit<Recovery, 'session'>;

/** @returns `undefined` where all names are as they were, or as they were to be */
async function end(engine: Engine, changes: readonly NameChange[]): Promise<Ended | undefined> {
  const states = [];
  for (const change of changes) {
    const now = (await engine.describeImage(change.name))?.id;
    const exists = (await engine.describeImage(change.imageId)) !== undefined;
    states.push({ ...change, now, exists });
  }
  const given = states.filter(({ now, imageId }) => now === imageId);
  if (states.every(({ exists }) => exists)) {
    // A name that is neither the new nor the earlier image's was given by somebody else since.
    const open = states.filter(({ now, imageId, previous }) => now !== imageId && now === previous);
    for (const { imageId, name } of open) await engine.tagImage(imageId, name);
    return open.length === 0 ? undefined : { how: 'finished', names: changes.map(({ name }) => name) };
  }
  for (const { name, previous } of given) {
    if (previous !== undefined && (await engine.describeImage(previous)) !== undefined)
      await engine.tagImage(previous, name);
    else await engine.removeImage(name);
  }
  return given.length === 0 ? undefined : { how: 'undone', names: given.map(({ name }) => name) };
}

/** What is not of the shape that `lock` writes was written by somebody else. */
function readChanges(label: string | undefined): readonly NameChange[] {
  let value: unknown;
  try {
    value = JSON.parse(label ?? '[]');
  } catch {
    return [];
  }
  return Array.isArray(value) ? value.filter(isChange) : [];
}

function isChange(value: unknown): value is NameChange {
  if (typeof value !== 'object' || value === null) return false;
  const { name, imageId, previous } = value as Readonly<Record<string, unknown>>;
  const isTold = typeof name === 'string' && typeof imageId === 'string';
  return isTold && (previous === undefined || typeof previous === 'string');
}

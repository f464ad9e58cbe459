/** The lock under which final names are given: a container that holds what is to be done, so that its owner's death loses nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { monotonic } from '../clock.js';
import { EngineError } from './errors.js';
import { readSessionLabels, sessionTime } from './marks.js';
import { changesFrom, nameChanges, removeIfNameless, type NameChange, type Naming } from './naming.js';
import { lifeOf, type Life } from './owner.js';
import type { Engine, EngineContainer, LabelledContainer } from './ports.js';
import type { Session } from './session.js';

/** An engine allows a name once: a lock that all hosts of an engine see. */
const LOCK_NAME = 'habitus-promotion';
/** Held by who ends a dead one's promotion. */
const RECOVERY_NAME = 'habitus-recovery';
/** What is to be done, as JSON of `NameChange[]`. */
const PROMOTION_LABEL = 'habitus.promotion';
const POLL_MS = 50;
/** Naming takes milliseconds: whoever is seen to hold a lock for this long is dead, wherever it was. */
const STALE_MS = 30_000;

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
  /** Whoever is done with it removes it; absent where nothing differs. */
  readonly lock?: EngineContainer;
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
    const lock = await takeLock(engine, session, changes, onRecovery, signal);
    try {
      const now = await nameChanges(engine, wanted, signal);
      if (isDeepStrictEqual(now, changes)) return { changes, lock };
      changes = now;
    } catch (error) {
      await lock.remove().catch(() => undefined);
      throw error;
    }
    await lock.remove();
  }
}

/** @param changes at least one, as they are when nobody else names anything */
async function takeLock(
  engine: Engine,
  session: Session,
  changes: readonly NameChange[],
  onRecovery: (recovery: Recovery) => void,
  signal: AbortSignal,
): Promise<EngineContainer> {
  const [first] = changes;
  if (first === undefined) throw new Error('nothing to promote');
  const labels = { [PROMOTION_LABEL]: JSON.stringify(changes) };
  const seen = new Holder();
  for (;;) {
    const lock = await createNamed(engine, session, LOCK_NAME, first.imageId, labels, signal);
    if (lock !== undefined) return lock;
    // An engine reserves the name before it can tell of the container.
    const holder = await engine.findContainer(LOCK_NAME);
    if (seen.isDead(holder)) {
      const recovery = await recover(engine, session, signal);
      if (recovery !== undefined) onRecovery(recovery);
    } else await sleep(POLL_MS, undefined, { signal });
  }
}

/** End the promotion that a dead session has begun, if it has: each name is then what it was, or what it was to be. */
export async function recoverPromotion(
  engine: Engine,
  session: Session,
  dead: string,
  signal: AbortSignal,
): Promise<Recovery | undefined> {
  const holder = await engine.findContainer(LOCK_NAME);
  const isTheirs = holder !== undefined && readSessionLabels(holder.labels)?.session === dead;
  return isTheirs ? recover(engine, session, signal) : undefined;
}

/** One at a time: who came late would give names anew that have been given to others since. */
async function recover(engine: Engine, session: Session, signal: AbortSignal): Promise<Recovery | undefined> {
  const found = await engine.findContainer(LOCK_NAME);
  if (found === undefined) return undefined;
  const changes = readChanges(found.labels[PROMOTION_LABEL]);
  const image = await anyImage(engine, changes);
  // Neither new nor earlier images: nothing can be named.
  if (image === undefined) {
    await engine.removeContainer(found.id);
    return undefined;
  }
  const recovery = await takeRecovery(engine, session, image, signal);
  try {
    if ((await engine.findContainer(LOCK_NAME))?.id !== found.id) return undefined;
    const ended = await end(engine, changes);
    for (const { previous } of changes) {
      if (previous !== undefined) await removeIfNameless(engine, previous);
    }
    await engine.removeContainer(found.id);
    if (ended === undefined) return undefined;
    return { session: readSessionLabels(found.labels)?.session ?? 'unknown', ...ended };
  } finally {
    await recovery.remove();
  }
}

async function takeRecovery(
  engine: Engine,
  session: Session,
  image: string,
  signal: AbortSignal,
): Promise<EngineContainer> {
  const seen = new Holder();
  for (;;) {
    const recovery = await createNamed(engine, session, RECOVERY_NAME, image, {}, signal);
    if (recovery !== undefined) return recovery;
    const holder = await engine.findContainer(RECOVERY_NAME);
    if (holder !== undefined && seen.isDead(holder)) await engine.removeContainer(holder.id);
    else await sleep(POLL_MS, undefined, { signal });
  }
}

/** @returns `undefined` where all names are as they were, or as they were to be */
async function end(
  engine: Engine,
  changes: readonly NameChange[],
): Promise<Omit<Recovery, 'session'> | undefined> {
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

/** Whoever holds a lock, as seen from here. */
class Holder {
  #id: string | undefined;
  #since = 0;

  isDead(container: LabelledContainer | undefined): boolean {
    if (container?.id !== this.#id) {
      this.#id = container?.id;
      this.#since = monotonic();
    }
    if (container === undefined) return false;
    switch (lifeOfContainer(container)) {
      case 'dead':
        return true;
      case 'running':
        return false;
      case 'unknown':
        return monotonic() - this.#since > STALE_MS;
    }
  }
}

function lifeOfContainer({ labels }: LabelledContainer): Life {
  const mark = readSessionLabels(labels);
  return mark?.owner === undefined ? 'unknown' : lifeOf(mark.owner, sessionTime(mark.session));
}

/** @returns `undefined` where somebody else has a container of this name */
async function createNamed(
  engine: Engine,
  session: Session,
  name: string,
  image: string,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<EngineContainer | undefined> {
  try {
    return await session.createContainer(
      { name, image, command: [name], network: 'none', limits: {}, labels },
      signal,
    );
  } catch (error) {
    if (error instanceof EngineError && error.status === 409) return undefined;
    throw error;
  }
}

async function anyImage(engine: Engine, changes: readonly NameChange[]): Promise<string | undefined> {
  for (const { imageId, previous } of changes) {
    for (const id of [imageId, previous]) {
      if (id !== undefined && (await engine.describeImage(id)) !== undefined) return id;
    }
  }
  return undefined;
}

/** What is not of the shape that `takeLock` writes was written by somebody else. */
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

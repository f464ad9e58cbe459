/**
 * Locks that all hosts of an engine see. Each is a volume that nothing mounts: an engine allows a name once, and tells everybody who asks
 * for it whose it is. A container would be removed by `docker system prune`, and making one takes an engine that is busy twenty times as
 * long.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { monotonic } from '../clock.js';
import { readSessionLabels, sessionTime } from './marks.js';
import { lifeOf, type Life } from './owner.js';
import type { Engine, LabelledVolume } from './ports.js';
import type { Session } from './session.js';

const POLL_MS = 50;
/** What is done under a lock takes some hundred milliseconds: whoever is seen to hold one for this long is dead, wherever it was. */
const STALE_MS = 30_000;

/** Who takes locks, and where. */
export interface LockTaker {
  readonly engine: Engine;
  readonly session: Session;
}

export interface LockRequest {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Ends what a dead one was at, and removes its lock; absent: there is nothing to end. */
  readonly onDead?: (lock: LabelledVolume) => Promise<void>;
}

/**
 * Wait for a lock and take it. Whoever has done its work removes it with `Session.removeVolume`.
 * Rejects when the signal is aborted, with its reason or with that as the cause.
 */
export async function takeLock(
  taker: LockTaker,
  { name, labels = {}, onDead = (lock) => removeDeadLock(taker, lock, nothing, signal) }: LockRequest,
  signal: AbortSignal,
): Promise<void> {
  const { session } = taker;
  const seen = new Holder();
  for (;;) {
    const { isOwn, volume } = await session.createVolume(name, labels, signal);
    if (isOwn) return;
    // It is left from before, for it could not be removed.
    if (sessionOf(volume) === session.id) await session.removeVolume(name);
    else if (seen.isDead(volume)) await onDead(volume);
    else await sleep(POLL_MS, undefined, { signal });
  }
}

/**
 * Remove a dead one's lock, which goes by its name. That is only for one at a time, under a lock of its own: who came late would
 * remove that of somebody who lives. (An engine does not compare and remove in one: who holds a lock for longer than `STALE_MS`, and
 * removes it in the same moment, is not safe from that.)
 * @param first ends what the dead one was at; not called where somebody else has done that
 */
export async function removeDeadLock<T>(
  taker: LockTaker,
  lock: LabelledVolume,
  first: () => Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { engine, session } = taker;
  const turn = `${lock.name}-after-${sessionOf(lock) ?? 'unknown'}`;
  await takeLock(taker, { name: turn }, signal);
  try {
    if (!isDeepStrictEqual(await engine.findVolume(lock.name), lock)) return undefined;
    const result = await first();
    await engine.removeVolume(lock);
    return result;
  } finally {
    // What it was taken for counts; disposing the session tries again.
    await session.removeVolume(turn).catch(() => undefined);
  }
}

export function sessionOf({ labels }: LabelledVolume): string | undefined {
  return readSessionLabels(labels)?.session;
}

const nothing = (): Promise<void> => Promise.resolve();

/** Whoever holds a lock, as seen from here. */
class Holder {
  #lock: LabelledVolume | undefined;
  #since = 0;

  isDead(lock: LabelledVolume): boolean {
    if (!isDeepStrictEqual(lock, this.#lock)) {
      this.#lock = lock;
      this.#since = monotonic();
    }
    switch (lifeOfHolder(lock)) {
      case 'dead':
        return true;
      case 'running':
        return false;
      case 'unknown':
        return monotonic() - this.#since > STALE_MS;
    }
  }
}

function lifeOfHolder({ labels }: LabelledVolume): Life {
  const mark = readSessionLabels(labels);
  return mark?.owner === undefined ? 'unknown' : lifeOf(mark.owner, sessionTime(mark.session));
}

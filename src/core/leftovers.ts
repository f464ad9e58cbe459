/** What sessions hold on an engine, and the collection of what dead ones have left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { removeDeadLock } from './engine-lock.js';
import { endJournal, readJournals, type Unmarked } from './journal.js';
import {
  readSessionLabels,
  readSessionName,
  SESSION_LABEL,
  SESSION_REPOSITORY,
  sessionTime,
} from './marks.js';
import { lifeOf, type Life, type Owner } from './owner.js';
import { messageOf } from './naming.js';
import type { Engine, LabelledVolume } from './ports.js';
import { recoverPromotion, type Recovery } from './promotion-lock.js';
import { Session } from './session.js';
import { removeTraces, type ImageRemoval, type Removed } from './traces.js';
import type { UserFolder } from './user-folder.js';

/** One session, as an engine and this host's journals tell of it. */
export interface Holding {
  readonly session: string;
  /** Absent where an earlier version of this program made it. */
  readonly owner: Owner | undefined;
  readonly life: Life;
  /** By its owner's clock, in milliseconds since the epoch. */
  readonly began: number;
  /** IDs. */
  readonly containers: readonly string[];
  /** Only where they were asked for. */
  readonly volumes: readonly LabelledVolume[];
  readonly names: readonly { readonly name: string; readonly imageId: string }[];
  /** What carries no mark; some of it may be gone. */
  readonly unmarked: readonly Unmarked[];
}

interface Found {
  owner: Owner | undefined;
  readonly containers: string[];
  readonly volumes: LabelledVolume[];
  readonly names: { readonly name: string; readonly imageId: string }[];
  unmarked: readonly Unmarked[];
}

export interface HoldingsOptions {
  /**
   * Ask for volumes, too, for which an engine asks all its plugins; default false. Who holds a lock has image names or a journal
   * as well, until all is done that it was taken for.
   */
  readonly volumes?: boolean;
}

/** @returns oldest first; a session that has made nothing yet is not among them */
export async function listHoldings(
  engine: Engine,
  folder: UserFolder,
  { volumes: withVolumes = false }: HoldingsOptions = {},
): Promise<readonly Holding[]> {
  const sessions = new Map<string, Found>();
  const of = (session: string, owner: Owner | undefined): Found => {
    const found = sessions.get(session) ?? { owner, containers: [], volumes: [], names: [], unmarked: [] };
    found.owner ??= owner;
    sessions.set(session, found);
    return found;
  };
  const [containers, volumes, names] = await Promise.all([
    engine.listContainers(SESSION_LABEL),
    withVolumes ? engine.listVolumes(SESSION_LABEL) : [],
    engine.listImageNames(`${SESSION_REPOSITORY}/`),
  ]);
  for (const { id, labels } of containers) {
    const mark = readSessionLabels(labels);
    if (mark !== undefined) of(mark.session, mark.owner).containers.push(id);
  }
  for (const volume of volumes) {
    const mark = readSessionLabels(volume.labels);
    if (mark !== undefined) of(mark.session, mark.owner).volumes.push(volume);
  }
  for (const named of names) {
    const mark = readSessionName(named.name);
    if (mark !== undefined) of(mark.session, mark.owner).names.push(named);
  }
  for (const { session, owner, unmarked } of readJournals(folder, engine.info.id)) {
    of(session, owner).unmarked = unmarked;
  }
  return [...sessions]
    .map(([session, found]) => {
      const began = sessionTime(session);
      const life: Life = found.owner === undefined ? 'unknown' : lifeOf(found.owner, began);
      return { session, began, life, ...found };
    })
    .sort((a, b) => (a.session < b.session ? -1 : 1));
}

/** In which an engine notices that nobody listens any more, and ends the instruction that it was at. */
const LAST_WORK_MS = 1_000;

/**
 * Wait until an engine no longer works for the dead: an image that it makes of one that has just been collected bears no mark and has
 * no parent, so that nobody could tell any more whose it was.
 * @param dead those that are to be collected: for none nobody waits
 * @throws the signal's reason when it is aborted
 */
export async function lastWorkDone(dead: ReadonlySet<Holding>, signal: AbortSignal): Promise<void> {
  if (dead.size === 0) return;
  await sleep(LAST_WORK_MS, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}

export interface Collected extends Removed {
  readonly session: string;
  /** Without the one that a promotion was ended for. */
  readonly volumes: number;
  /** Present where it died while names were given. */
  readonly promotion?: Recovery;
}

/** Remove what a session holds, after its promotion was ended; only to be called for one that is dead. */
export async function collect(
  engine: Engine,
  folder: UserFolder,
  holding: Pick<Holding, 'session' | 'unmarked'>,
  signal: AbortSignal,
): Promise<Collected> {
  const own = new Session(engine, []);
  let left: readonly string[];
  let collected: Collected;
  try {
    collected = await collectUnder(own, engine, folder, holding, signal);
  } finally {
    // Locks that it could not remove.
    left = await own.dispose(REMOVAL);
  }
  return { ...collected, problems: [...collected.problems, ...left] };
}

const REMOVAL: ImageRemoval = { force: false, noPrune: false };

/** @param own has the locks that are needed for it */
async function collectUnder(
  own: Session,
  engine: Engine,
  folder: UserFolder,
  { session, unmarked }: Pick<Holding, 'session' | 'unmarked'>,
  signal: AbortSignal,
): Promise<Collected> {
  let promotion: Recovery | undefined;
  try {
    promotion = await recoverPromotion(engine, own, session, signal);
  } catch (error) {
    signal.throwIfAborted();
    // What it holds is what its promotion needs.
    const problems = [`the names it was giving are not settled: ${messageOf(error)}`];
    return { session, containers: 0, volumes: 0, images: 0, problems };
  }
  signal.throwIfAborted();
  const locks = await removeLocks(engine, own, session, signal);
  const removed = await removeTraces(engine, { session, unmarked }, REMOVAL, signal);
  const problems = [...locks.problems, ...removed.problems];
  if (problems.length === 0 && !signal.aborted) endJournal(folder, session);
  return {
    session,
    ...removed,
    volumes: locks.removed,
    problems,
    ...(promotion !== undefined && { promotion }),
  };
}

/** What a session had under a lock that is no promotion was done, or is done by whoever takes the lock next. */
async function removeLocks(
  engine: Engine,
  own: Session,
  session: string,
  signal: AbortSignal,
): Promise<{ readonly removed: number; readonly problems: readonly string[] }> {
  let removed = 0;
  try {
    for (const lock of await engine.listVolumes(`${SESSION_LABEL}=${session}`)) {
      const isGone = await removeDeadLock(
        { engine, session: own },
        lock,
        () => Promise.resolve(true),
        signal,
      );
      if (isGone === true) removed += 1;
    }
    return { removed, problems: [] };
  } catch (error) {
    if (signal.aborted) return { removed, problems: [] };
    return { removed, problems: [`volumes of session ${session} may be left: ${messageOf(error)}`] };
  }
}

/** What sessions hold on an engine, and the collection of what dead ones have left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { endJournal, readJournals, type Unmarked } from './journal.js';
import {
  readSessionLabels,
  readSessionName,
  SESSION_LABEL,
  SESSION_REPOSITORY,
  sessionTime,
} from './marks.js';
import { lifeOf, type Life, type Owner } from './owner.js';
import type { Engine } from './ports.js';
import { recoverPromotion, type Recovery } from './promotion-lock.js';
import { Session } from './session.js';
import { removeTraces, type Removed } from './traces.js';
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
  readonly names: readonly { readonly name: string; readonly imageId: string }[];
  /** What carries no mark; some of it may be gone. */
  readonly unmarked: readonly Unmarked[];
}

interface Found {
  owner: Owner | undefined;
  readonly containers: string[];
  readonly names: { readonly name: string; readonly imageId: string }[];
  unmarked: readonly Unmarked[];
}

/** @returns oldest first; a session that has made nothing yet is not among them */
export async function listHoldings(engine: Engine, folder: UserFolder): Promise<readonly Holding[]> {
  const sessions = new Map<string, Found>();
  const of = (session: string, owner: Owner | undefined): Found => {
    const found = sessions.get(session) ?? { owner, containers: [], names: [], unmarked: [] };
    found.owner ??= owner;
    sessions.set(session, found);
    return found;
  };
  const [containers, names] = await Promise.all([
    engine.listContainers(SESSION_LABEL),
    engine.listImageNames(`${SESSION_REPOSITORY}/`),
  ]);
  for (const { id, labels } of containers) {
    const mark = readSessionLabels(labels);
    if (mark !== undefined) of(mark.session, mark.owner).containers.push(id);
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
  /** Present where it died while names were given. */
  readonly promotion?: Recovery;
}

/** Remove what a session holds, after its promotion was ended; only to be called for one that is dead. */
export async function collect(
  engine: Engine,
  folder: UserFolder,
  { session, unmarked }: Pick<Holding, 'session' | 'unmarked'>,
  signal: AbortSignal,
): Promise<Collected> {
  const own = new Session(engine, []);
  let promotion: Recovery | undefined;
  try {
    promotion = await recoverPromotion(engine, own, session, signal);
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    // What it holds is what its promotion needs.
    return {
      session,
      containers: 0,
      images: 0,
      problems: [`the names it was giving are not settled: ${why}`],
    };
  }
  signal.throwIfAborted();
  const removal = { force: false, noPrune: false };
  const removed = await removeTraces(engine, { session, unmarked }, removal, signal);
  if (removed.problems.length === 0 && !signal.aborted) endJournal(folder, session);
  return { session, ...removed, ...(promotion !== undefined && { promotion }) };
}

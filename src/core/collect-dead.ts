/** Collects, before a build, what dead sessions of this host have left. */
import type { Emit } from './events.js';
import { collect, lastWorkDone, type Collected, type Holding } from './leftovers.js';
import type { Engine } from './ports.js';
import { describeRecovery } from './promotion-lock.js';
import { unlessAborted } from './unless-aborted.js';
import type { UserFolder } from './user-folder.js';

/**
 * Never fails: what stays is collected another time. Settles when all is collected, or as soon as the signal is aborted; nothing is
 * told then.
 * @returns whether there was a dead session, whose names may have been given meanwhile
 */
export async function collectDead(
  engine: Engine,
  folder: UserFolder,
  holdings: Promise<readonly Holding[]>,
  emit: Emit,
  signal: AbortSignal,
): Promise<boolean> {
  const tell: Tell = (level, message) => {
    if (!signal.aborted) emit({ at: Date.now(), type: 'notice', level, message });
  };
  // A call that an engine does not answer must hold nobody up who wants to leave.
  return unlessAborted(collectAll(engine, folder, holdings, tell, signal), signal).catch(() => true);
}

type Tell = (level: 'info' | 'warning', message: string) => void;

async function collectAll(
  engine: Engine,
  folder: UserFolder,
  holdings: Promise<readonly Holding[]>,
  tell: Tell,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const dead = new Set((await holdings).filter(({ life }) => life === 'dead'));
    await lastWorkDone(dead, signal);
    for (const holding of dead) {
      if (signal.aborted) return true;
      const collected = await collect(engine, folder, holding, signal);
      const { session, problems, promotion } = collected;
      if (promotion !== undefined) tell('warning', describeRecovery(promotion));
      const what = describeRemoved(collected);
      if (what !== '') tell('info', `removed what session ${session} left when it died: ${what}`);
      for (const problem of problems) tell('warning', `of dead session ${session}: ${problem}`);
    }
    return dead.size > 0;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    tell('warning', `what dead sessions have left was not removed: ${why}`);
    return true;
  }
}

/** `1 container, 2 images`; empty where nothing was removed. */
function describeRemoved({ containers, volumes, images }: Collected): string {
  const parts = [count(containers, 'container'), count(volumes, 'volume'), count(images, 'image')];
  return parts.filter((text) => text !== '').join(', ');
}

function count(number: number, what: string): string {
  if (number === 0) return '';
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

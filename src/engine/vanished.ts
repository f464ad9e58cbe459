/** Images that somebody removes while a builder uses them, and what an engine leaves then. */
import type { ImageRemover } from './image-remover.js';
import { listImages } from './images.js';
import { listOf } from './shape.js';
import type { Transport } from './transport.js';

/** Each store words it in its own way: graphdrivers of 20.10 and 28, the containerd store. */
const WORDS: readonly RegExp[] = [
  /unable to find image "sha256:/,
  /failed to get digest sha256:/,
  /content digest sha256:[0-9a-f]{64}: not found/,
  /layer does not exist/,
  // Of the classic builder on the containerd store, while somebody prunes images.
  /commit failed: lease does not exist: not found/,
];
/** The parent went between the work on a layer and the making of its image, which is made all the same. */
const ORPHANED = /unknown parent image ID sha256:/;

/** Whether a build failed since an image that it was using is gone. */
export function saysVanished(message: string): boolean {
  return ORPHANED.test(message) || WORDS.some((words) => words.test(message));
}

/** Whether it has then left an image without a name and without a parent, of which nobody was told. */
export function saysOrphaned(message: string): boolean {
  return ORPHANED.test(message);
}

/** Seconds by which clocks may differ. */
const SKEW = 60;

/**
 * Best effort: remove those that became orphans on the way to an image. They lie on the same base, were made by the same instructions, and
 * since then.
 * @param since milliseconds since the epoch
 */
export async function removeOrphans(
  transport: Transport,
  remover: ImageRemover,
  imageId: string,
  since: number,
): Promise<void> {
  const whole = await historyOf(transport, imageId);
  const filters = JSON.stringify({ dangling: ['true'] });
  const orphans: string[] = [];
  for (const image of await listImages(transport, { filters })) {
    if (image.ParentId !== '' || image.Created < since / 1000 - SKEW) continue;
    if (isOnTheWay(await historyOf(transport, image.Id), whole)) orphans.push(image.Id);
  }
  await remover.removeNameless(orphans, { noPrune: true });
}

interface HistoryEntry {
  readonly CreatedBy: string;
  readonly Created: number;
}

/** The first entry is the base's: bases of different content may have the same words, but not the same time. */
function isOnTheWay(made: readonly HistoryEntry[], whole: readonly HistoryEntry[]): boolean {
  if (made.length < 2 || made[0]?.Created !== whole[0]?.Created) return false;
  return made.every(({ CreatedBy }, index) => CreatedBy === whole[index]?.CreatedBy);
}

/** The oldest first. */
async function historyOf(transport: Transport, imageId: string): Promise<readonly HistoryEntry[]> {
  const purpose = `read the history of the image ${imageId}`;
  const answer = await transport.json({ method: 'GET', path: `/images/${imageId}/history`, purpose });
  return (listOf(answer, purpose) as readonly HistoryEntry[]).toReversed();
}

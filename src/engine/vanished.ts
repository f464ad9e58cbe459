/** Images that somebody removes while a builder uses them, and what an engine leaves then. */
import type { ImageRemover } from './image-remover.js';
import { listOf } from './shape.js';
import type { Transport } from './transport.js';

/** Each store words it in its own way: graphdrivers of 20.10 and 28, the containerd store. */
const WORDS: readonly RegExp[] = [
  /unable to find image "sha256:/,
  /failed to get digest sha256:/,
  /content digest sha256:[0-9a-f]{64}: not found/,
  /layer does not exist/,
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

interface ListedImage {
  readonly Id: string;
  readonly ParentId: string;
}

/** Best effort: remove those that became orphans on the way to an image, known by what made them. */
export async function removeOrphans(
  transport: Transport,
  remover: ImageRemover,
  imageId: string,
): Promise<void> {
  const whole = await madeBy(transport, imageId);
  const filters = JSON.stringify({ dangling: ['true'] });
  const purpose = 'list images';
  const answer = await transport.json({ method: 'GET', path: '/images/json', query: { filters }, purpose });
  const orphans: string[] = [];
  for (const { Id: id, ParentId: parent } of listOf(answer, purpose) as readonly ListedImage[]) {
    const made = parent === '' && id !== imageId ? await madeBy(transport, id) : [];
    if (made.length > 0 && made.every((text, index) => text === whole[index])) orphans.push(id);
  }
  await remover.removeNameless(orphans, { noPrune: true });
}

/** The texts of its history, the oldest first. */
async function madeBy(transport: Transport, imageId: string): Promise<readonly string[]> {
  const purpose = `read the history of the image ${imageId}`;
  const answer = await transport.json({ method: 'GET', path: `/images/${imageId}/history`, purpose });
  return listOf(answer, purpose)
    .map((entry) => (entry as { readonly CreatedBy: string }).CreatedBy)
    .reverse();
}

/**
 * Images removed so that nobody loses what is wanted. An engine removes an image by its ID though somebody has just given it a name.
 * Only of a name it removes no more than that, and the image with its last one: so an image gets a name to be removed by.
 *
 * The containerd store (28.5) also prunes all nameless parents, whatever else was made from them, and the classic builder's cache is
 * gone with them. It is told not to, and goes from image to image.
 */
import pLimit from 'p-limit';
import { CALLS_AT_ONCE } from '../core/calls-at-once.js';
import { EngineError } from '../core/errors.js';
import { newSessionId, removalName } from '../core/marks.js';
import { thisProcess } from '../core/owner.js';
import type { EngineInfo, NamelessRemoval, Removals } from '../core/ports.js';
import { deleteImage, inspectImage, isNamed, tagImage, takeName } from './images.js';
import type { Transport } from './transport.js';

interface RemoveOptions {
  readonly force?: boolean | undefined;
  readonly noPrune?: boolean | undefined;
}

interface ByName {
  readonly noPrune: boolean | undefined;
  /** To remove it by, instead of one that is made for that. */
  readonly name?: string | undefined;
}

export class ImageRemover {
  readonly #transport: Transport;
  readonly #store: EngineInfo['store'];
  /** Of the names that images get to be removed: whoever finds one knows by it whether this process lives. */
  readonly #session = newSessionId();
  #names = 0;

  constructor(transport: Transport, store: EngineInfo['store']) {
    this.#transport = transport;
    this.#store = store;
  }

  /** See Engine.removeImage. */
  async remove(reference: string, { force, noPrune }: RemoveOptions = {}): Promise<boolean> {
    const isId = reference.startsWith('sha256:');
    const prunesItself = this.#store === 'graphdriver' || noPrune === true;
    if (prunesItself && (!isId || force === true))
      return (await deleteImage(this.#transport, reference, { force, noPrune })) !== 'used';
    const image = await inspectImage(this.#transport, reference);
    if (image === undefined) return true;
    if (force !== true && isId && !isNamed(image)) {
      return (await this.#removeByName(image, { noPrune })) || (await this.#isGone(image.Id));
    }
    const isGone = (await deleteImage(this.#transport, reference, { force, noPrune: true })) !== 'used';
    if (isGone && noPrune !== true && (await this.#isGone(image.Id))) await this.#removeParent(image);
    return isGone;
  }

  /** See Engine.removeNameless. */
  async removeNameless(
    ids: readonly string[],
    { noPrune, spareNames }: NamelessRemoval = {},
  ): Promise<Removals> {
    // What is not pruned has to go before what it was made from.
    const atOnce = pLimit(noPrune === true ? 1 : CALLS_AT_ONCE);
    const removed: string[] = [];
    const failed = new Map<string, unknown>();
    const work = ids.map((id) =>
      atOnce(() => this.#removeNameless(id, { noPrune, name: spareNames?.get(id) })).then(
        (isRemoved) => isRemoved && removed.push(id),
        (error: unknown) => failed.set(id, error),
      ),
    );
    await Promise.all(work);
    return { removed, failed };
  }

  async #removeNameless(id: string, options: ByName): Promise<boolean> {
    if (this.#store === 'graphdriver' && WHOLE_ID.test(id)) return this.#removeByName({ Id: id }, options);
    const image = await inspectImage(this.#transport, id);
    return image !== undefined && !isNamed(image) && this.#removeByName(image, options);
  }

  /**
   * Whoever names it meanwhile keeps it, and so does who makes an image or a container from it.
   * @returns whether it was removed
   */
  async #removeByName(image: Image, { noPrune, name: spare }: ByName): Promise<boolean> {
    const { Id: id } = image;
    const isContainerd = this.#store === 'containerd';
    for (let tries = 1; ; tries += 1) {
      const name = spare ?? removalName(this.#session, this.#names++, thisProcess());
      try {
        await tagImage(this.#transport, id, name);
      } catch (error) {
        if (error instanceof EngineError && error.status === 404) return false;
        throw error;
      }
      const deleted = await deleteImage(this.#transport, name, { noPrune: isContainerd || noPrune });
      if (deleted === 'used') {
        // Of an image that a container uses an engine does not remove the last name.
        await takeName(this.#transport, name, { from: id, noPrune: isContainerd });
        return false;
      }
      if (!isContainerd) {
        if (deleted !== 'absent') return deleted.includes(id);
        // Somebody else has removed it in the moment in which it got the name.
        await takeName(this.#transport, name);
        return false;
      }
      const left = await inspectImage(this.#transport, id);
      if (left === undefined) break;
      // Else another remover had its name there, and may have looked for images made from it before the last of them went. (It says
      // that it has deleted an image also where it has only taken the name, since others were made from it.)
      const hasGone = deleted !== 'absent' && deleted.includes(id);
      if (hasGone || isNamed(left) || tries === TRIES) return false;
    }
    if (noPrune !== true) await this.#removeParent(image);
    return true;
  }

  /** The classic builder's intermediate image, as far up as they have no use any more. */
  async #removeParent({ Parent: parent = '' }: Image): Promise<void> {
    if (parent !== '') await this.#removeNameless(parent, { noPrune: false });
  }

  async #isGone(id: string): Promise<boolean> {
    return (await inspectImage(this.#transport, id)) === undefined;
  }
}

/** Several builds at once may remove one image. */
const TRIES = 10;
const WHOLE_ID = /^sha256:[0-9a-f]{64}$/;

interface Image {
  readonly Id: string;
  readonly Parent?: string;
}

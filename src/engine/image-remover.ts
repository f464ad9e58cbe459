/**
 * Images removed so that what others were made from stays. Graphdriver stores see to that. The containerd store (28.5) does not:
 * with pruning it removes all nameless parents, and by its ID any nameless image, whatever else was made from them; the classic
 * builder's cache is gone with them. There nothing is pruned by the engine, and what has become useless is found here.
 */
import type { EngineInfo } from '../core/ports.js';
import { deleteImage, inspectImage, isNamed, listAllImages, type ListedImage } from './images.js';
import type { Transport } from './transport.js';

export class ImageRemover {
  readonly #transport: Transport;
  readonly #store: EngineInfo['store'];
  readonly #waiting: Turn[] = [];
  #isWorking = false;

  constructor(transport: Transport, store: EngineInfo['store']) {
    this.#transport = transport;
    this.#store = store;
  }

  /** See Engine.removeImage. */
  async remove(
    reference: string,
    options: { readonly force?: boolean; readonly noPrune?: boolean } = {},
  ): Promise<boolean> {
    if (this.#store === 'graphdriver') return deleteImage(this.#transport, reference, options);
    const image = await inspectImage(this.#transport, reference);
    if (image === undefined) return true;
    const { Id: id, Parent: parent = '' } = image;
    // Only the classic builder makes images from images.
    const prunes = options.noPrune !== true && parent !== '';
    if (parent !== '' && options.force !== true && !isNamed(image)) {
      const isRemoved = await this.#inTurn((images) =>
        prunes ? images.removeUpwards(id) : images.remove(id),
      );
      return isRemoved || (await inspectImage(this.#transport, id)) === undefined;
    }
    const isGone = await deleteImage(this.#transport, reference, { ...options, noPrune: true });
    if (isGone && prunes && (await inspectImage(this.#transport, id)) === undefined) {
      await this.#inTurn((images) => images.removeUpwards(parent));
    }
    return isGone;
  }

  /** See Engine.removeNameless. */
  async removeNameless(ids: readonly string[]): Promise<readonly string[]> {
    if (this.#store === 'graphdriver') return each(ids, (id) => this.#removeIfNameless(id));
    return ids.length === 0 ? [] : this.#inTurn((images) => each(ids, (id) => images.remove(id)));
  }

  async #removeIfNameless(id: string): Promise<boolean> {
    const image = await inspectImage(this.#transport, id);
    if (image === undefined || isNamed(image)) return false;
    return deleteImage(this.#transport, image.Id, { noPrune: true });
  }

  /**
   * One after the other: of two that remove the last two images made from one parent, each would see the other's. All that wait
   * share one list, which takes this store 7 ms for each image.
   */
  #inTurn<T>(work: (images: NamelessImages) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        run: async (images) => {
          await work(images).then(resolve, reject);
        },
        fail: reject,
      });
      if (!this.#isWorking) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let turns = this.#waiting.splice(0); turns.length > 0; turns = this.#waiting.splice(0)) {
      try {
        const images = new NamelessImages(this.#transport, await listAllImages(this.#transport));
        for (const turn of turns) await turn.run(images);
      } catch (error) {
        for (const turn of turns) turn.fail(error);
      }
    }
    this.#isWorking = false;
  }
}

/** All, whatever fails. @returns those for which it was true */
async function each(
  ids: readonly string[],
  work: (id: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const done: string[] = [];
  const errors: unknown[] = [];
  for (const id of ids) {
    try {
      if (await work(id)) done.push(id);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
  return done;
}

interface Turn {
  /** Never rejects. */
  readonly run: (images: NamelessImages) => Promise<void>;
  readonly fail: (error: unknown) => void;
}

/** What an engine had when it was asked, less what has been removed here since. */
class NamelessImages {
  readonly #transport: Transport;
  readonly #left: Map<string, ListedImage>;

  constructor(transport: Transport, listed: readonly ListedImage[]) {
    this.#transport = transport;
    this.#left = new Map(listed.map((image) => [image.Id, image]));
  }

  /** Unless it has a name, a container uses it, or another was made from it. @returns whether it was removed */
  async remove(id: string): Promise<boolean> {
    const image = this.#find(id);
    if (image === undefined || isNamed(image)) return false;
    if ([...this.#left.values()].some(({ ParentId }) => ParentId === image.Id)) return false;
    const isGone = await deleteImage(this.#transport, image.Id, { noPrune: true });
    if (isGone) this.#left.delete(image.Id);
    return isGone;
  }

  /** It, and what it was made from as far as that goes. @returns whether it was removed itself */
  async removeUpwards(id: string): Promise<boolean> {
    const parent = this.#find(id)?.ParentId ?? '';
    if (!(await this.remove(id))) return false;
    if (parent !== '') await this.removeUpwards(parent);
    return true;
  }

  /** @param id whole, or short as the classic builder prints it */
  #find(id: string): ListedImage | undefined {
    const whole = this.#left.get(id);
    if (whole !== undefined) return whole;
    const short = id.startsWith('sha256:') ? id : `sha256:${id}`;
    return [...this.#left.values()].find(({ Id }) => Id.startsWith(short));
  }
}

/** The port, table of contents: which file does what for a connected engine. */
import { StepError } from '../core/errors.js';
import type {
  BuilderEvent,
  BuildRequest,
  ContainerRequest,
  Engine,
  EngineContainer,
  EngineInfo,
  ImageArchives,
  ImageDescription,
} from '../core/ports.js';
import { EngineArchives } from './archives.js';
import type { ConnectOptions } from './address.js';
import { RegistryAuth } from './auth.js';
import { buildClassic, type ClassicBuild } from './classic.js';
import {
  createContainer,
  findContainer,
  listContainers,
  removeContainer,
  removeRunContainer,
} from './containers.js';
import { ImageRemover } from './image-remover.js';
import {
  describeImage,
  findNames,
  holdImage,
  inspectImage,
  listImageNames,
  listIntermediateImages,
  tagImage,
} from './images.js';
import { gateway } from './networks.js';
import type { Transport } from './transport.js';
import { removeOrphans, saysVanished } from './vanished.js';

/** Where another build removes an image of the same content, an engine may remove the one that has just been built too. */
const BUILD_TRIES = 3;

interface Built extends Partial<ClassicBuild> {
  /** Where the builder tells the ID that the engine lists it under. */
  readonly imageId?: string;
  /** Somebody has removed the image that was found in the cache before it got its name. */
  readonly vanished?: StepError;
}

export class DockerEngine implements Engine {
  readonly #transport: Transport;
  readonly #auth: RegistryAuth;
  readonly #remover: ImageRemover;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly archives: ImageArchives;

  constructor(
    transport: Transport,
    readonly info: EngineInfo,
    { env, onPassword }: Pick<ConnectOptions, 'env' | 'onPassword'>,
  ) {
    this.#transport = transport;
    this.#auth = new RegistryAuth(env, onPassword);
    this.#remover = new ImageRemover(transport, info.store);
    this.#env = env;
    this.archives = new EngineArchives(transport, this.#auth);
  }

  async build(
    request: BuildRequest,
    onEvent: (event: BuilderEvent) => void,
    signal: AbortSignal,
  ): Promise<string> {
    const since = Date.now();
    let hasOrphans = false;
    for (let tries = 1; ; tries += 1) {
      let isNew = false as boolean;
      const listen = (event: BuilderEvent): void => {
        if (event.type === 'instruction' && event.instruction.state === 'finished') {
          const { text, cached } = event.instruction;
          if (MAKES_LAYER.test(text)) isNew = !cached;
        }
        onEvent(event);
      };
      const built = await this.#build(request, listen, signal);
      hasOrphans ||= built.hasOrphans === true;
      // Nobody else knows it yet who could remove it.
      if (isNew && built.imageId !== undefined) return built.imageId;
      // On the containerd store the ID that builders announce is not the one that the image is listed under.
      const image =
        built.vanished === undefined ? await inspectImage(this.#transport, request.tag, signal) : undefined;
      // What was there before may be somebody's who is about to remove it.
      if (image !== undefined && (isNew || (await this.holdImage(image.Id, request.tag)))) {
        if (hasOrphans)
          await removeOrphans(this.#transport, this.#remover, image.Id, since).catch(() => undefined);
        return image.Id;
      }
      if (tries === BUILD_TRIES && built.vanished !== undefined) throw built.vanished;
      if (tries === BUILD_TRIES)
        throw new StepError({
          message: `The image ${request.tag} is gone right after it was built`,
          output: [],
          hint: 'Does something on this engine remove images, e.g. `docker image prune -a`?',
        });
      onEvent({
        type: 'warning',
        message: 'The image was removed as soon as it was built: building once more',
      });
    }
  }

  async #build(
    request: BuildRequest,
    onEvent: (event: BuilderEvent) => void,
    signal: AbortSignal,
  ): Promise<Built> {
    const connection = { transport: this.#transport, auth: this.#auth, remover: this.#remover };
    switch (request.builder) {
      case 'classic':
        return buildClassic(connection, request, onEvent, signal);
      case 'buildkit': {
        // Loaded by the first build that needs it.
        const { buildWithBuildKit } = await import('./buildkit.js');
        try {
          const id = await buildWithBuildKit({ ...connection, env: this.#env }, request, onEvent, signal);
          return this.info.store === 'graphdriver' && id !== undefined ? { imageId: id } : {};
        } catch (error) {
          if (error instanceof StepError && saysVanished(error.message)) return { vanished: error };
          throw error;
        }
      }
    }
  }

  describeImage(reference: string, signal?: AbortSignal): Promise<ImageDescription | undefined> {
    return describeImage(this.#transport, reference, signal);
  }

  tagImage(reference: string, name: string): Promise<void> {
    return tagImage(this.#transport, reference, name);
  }

  holdImage(imageId: string, name: string): Promise<boolean> {
    return holdImage(this.#transport, this.info.store, imageId, name);
  }

  removeImage(
    reference: string,
    options?: { readonly force?: boolean; readonly noPrune?: boolean },
  ): Promise<boolean> {
    return this.#remover.remove(reference, options);
  }

  removeNameless(...given: Parameters<Engine['removeNameless']>): ReturnType<Engine['removeNameless']> {
    return this.#remover.removeNameless(...given);
  }

  createContainer(request: ContainerRequest, signal: AbortSignal): Promise<EngineContainer> {
    return createContainer(this.#transport, request, signal);
  }

  listContainers(label: string): ReturnType<Engine['listContainers']> {
    return listContainers(this.#transport, label);
  }

  findContainer(name: string): ReturnType<Engine['findContainer']> {
    return findContainer(this.#transport, name);
  }

  removeContainer(id: string): Promise<void> {
    return removeContainer(this.#transport, id);
  }

  removeRunContainer(id: string): Promise<boolean> {
    return removeRunContainer(this.#transport, id);
  }

  gateway(network: string, signal: AbortSignal): Promise<string | undefined> {
    return gateway(this.#transport, network, signal);
  }

  listIntermediateImages(): ReturnType<Engine['listIntermediateImages']> {
    return listIntermediateImages(this.#transport);
  }

  findNames(names: readonly string[], signal?: AbortSignal): ReturnType<Engine['findNames']> {
    return findNames(this.#transport, names, signal);
  }

  listImageNames(prefix: string): ReturnType<Engine['listImageNames']> {
    return listImageNames(this.#transport, prefix);
  }

  close(): Promise<void> {
    this.#transport.close();
    this.#auth.close();
    return Promise.resolve();
  }
}

/** The texts of instructions but FROM, as builders tell them: `[2/5] RUN make`, `[stage-0 2/5] RUN make`. */
const MAKES_LAYER = /^\[(?:[^\]]+ )?\d+\/\d+\] (?!FROM\b)/i;

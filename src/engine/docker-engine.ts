/** The port, table of contents: which file does what for a connected engine. */
import type {
  BuilderEvent,
  BuildRequest,
  ContainerRequest,
  Engine,
  EngineContainer,
  EngineInfo,
  ImageArchives,
  ImageDescription,
  LabelledVolume,
} from '../core/ports.js';
import { EngineArchives } from './archives.js';
import type { ConnectOptions } from './address.js';
import { RegistryAuth } from './auth.js';
import { buildHeld } from './build-held.js';
import { createContainer, listContainers, removeContainer, removeRunContainer } from './containers.js';
import { ImageRemover } from './image-remover.js';
import { findNames, listImageNames, type ImageCount } from './image-names.js';
import { describeImage, holdImage, listIntermediateImages, tagImage } from './images.js';
import { RecentLooks } from './lone-dockerfile.js';
import { gateway } from './networks.js';
import type { Transport } from './transport.js';
import { createVolume, findVolume, listVolumes, removeVolume } from './volumes.js';

export class DockerEngine implements Engine {
  readonly #transport: Transport;
  readonly #auth: RegistryAuth;
  readonly #remover: ImageRemover;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #images: ImageCount;
  readonly #looks: RecentLooks;
  readonly archives: ImageArchives;

  /** @param images how many it has now, more or less */
  constructor(
    transport: Transport,
    readonly info: EngineInfo,
    images: number,
    { env, onPassword }: Pick<ConnectOptions, 'env' | 'onPassword'>,
  ) {
    this.#transport = transport;
    this.#auth = new RegistryAuth(env, onPassword);
    this.#remover = new ImageRemover(transport, info.store);
    this.#env = env;
    this.#images = { store: info.store, images };
    this.#looks = new RecentLooks(transport);
    this.archives = new EngineArchives(transport, this.#auth);
  }

  build(request: BuildRequest, onEvent: (event: BuilderEvent) => void, signal: AbortSignal): Promise<string> {
    const connection = {
      transport: this.#transport,
      auth: this.#auth,
      remover: this.#remover,
      env: this.#env,
      store: this.info.store,
      looks: this.#looks,
    };
    return buildHeld(connection, request, onEvent, signal);
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

  removeContainer(id: string): Promise<void> {
    return removeContainer(this.#transport, id);
  }

  removeRunContainer(id: string): Promise<boolean> {
    return removeRunContainer(this.#transport, id);
  }

  createVolume(...given: Parameters<Engine['createVolume']>): ReturnType<Engine['createVolume']> {
    return createVolume(this.#transport, ...given);
  }

  findVolume(name: string): ReturnType<Engine['findVolume']> {
    return findVolume(this.#transport, name);
  }

  listVolumes(label: string): ReturnType<Engine['listVolumes']> {
    return listVolumes(this.#transport, label);
  }

  removeVolume(volume: LabelledVolume): Promise<void> {
    return removeVolume(this.#transport, volume);
  }

  gateway(network: string, signal: AbortSignal): Promise<string | undefined> {
    return gateway(this.#transport, network, signal);
  }

  listIntermediateImages(): ReturnType<Engine['listIntermediateImages']> {
    return listIntermediateImages(this.#transport);
  }

  findNames(names: readonly string[], signal?: AbortSignal): ReturnType<Engine['findNames']> {
    return findNames(this.#transport, names, this.#images, signal);
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

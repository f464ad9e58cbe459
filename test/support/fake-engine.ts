/** An engine in memory, for tests of what stands above the port; it keeps the contract of engine-contract.ts. */
import { createHash, randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { EngineError } from '../../src/core/errors.js';
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
  NamelessRemoval,
  Removals,
} from '../../src/core/ports.js';
import { fakeBuild, type Built } from './fake-build.js';
import { runShell, type Script } from './fake-shell.js';
import { encode, folder, streamOf, type Member } from './tar.js';

interface FakeImage extends Built {
  readonly id: string;
  /** Set by tests: the image that it was made from, if it has no name. */
  parent?: string;
  readonly names: Set<string>;
}

interface FakeContainer {
  readonly id: string;
  readonly request: ContainerRequest;
  readonly image: FakeImage;
  readonly killed: AbortController;
}

export class FakeEngine implements Engine {
  readonly info: EngineInfo = {
    name: 'a fake engine',
    version: '0.0.0',
    apiVersion: '1.51',
    store: 'graphdriver',
    builders: ['buildkit', 'classic'],
    id: 'fake',
    local: true,
  };
  /** By ID. */
  readonly images = new Map<string, FakeImage>();
  readonly containers = new Map<string, FakeContainer>();
  /** By name. */
  readonly volumes = new Map<string, LabelledVolume>();
  /** Every build that was asked for, oldest first. */
  readonly requests: BuildRequest[] = [];
  /** What a RUN or a container's `/bin/sh -c` does, by its exact text; gates and failures go here. */
  readonly scripts = new Map<string, Script>();
  /** Archives are the real engines' business: what needs them is tested there. */
  readonly archives: ImageArchives = {
    pullImage: () => Promise.reject(new EngineError('a fake engine has no registry')),
    saveImages: () => Promise.reject(new EngineError('a fake engine saves nothing')),
    loadImages: () => Promise.reject(new EngineError('a fake engine loads nothing')),
    forgetBuildCache: () => Promise.resolve({ removed: 0, kept: 0 }),
  };
  closed = false;
  readonly #cache = new Set<string>();

  constructor() {
    this.#addImage({ files: new Map(), labels: {}, layers: ['busybox'] }, 'busybox:latest');
  }

  async build(
    request: BuildRequest,
    onEvent: (event: BuilderEvent) => void,
    signal: AbortSignal,
  ): Promise<string> {
    this.requests.push(request);
    const base = (reference: string): Built | undefined => this.#find(reference);
    const world = { scripts: this.scripts, cache: this.#cache, base };
    return this.#addImage(await fakeBuild(request, world, onEvent, signal), request.tag).id;
  }

  describeImage(reference: string): Promise<ImageDescription | undefined> {
    const image = this.#find(reference);
    if (image === undefined) return Promise.resolve(undefined);
    const layers = image.layers.map((layer) => digest(layer));
    const description = {
      id: image.id,
      layers,
      size: 0,
      user: '',
      env: [],
      workingDir: '',
      volumes: [],
      onBuild: [],
    };
    return Promise.resolve({ ...description, names: [...image.names] });
  }

  tagImage(reference: string, name: string): Promise<void> {
    const image = this.#find(reference);
    if (image === undefined) return Promise.reject(absent(reference));
    this.#name(image, name);
    return Promise.resolve();
  }

  holdImage(imageId: string, name: string): Promise<boolean> {
    const image = this.#find(imageId);
    if (image !== undefined) this.#name(image, name);
    return Promise.resolve(image !== undefined);
  }

  removeImage(reference: string): Promise<boolean> {
    const image = this.#find(reference);
    if (image === undefined) return Promise.resolve(true);
    const others = [...image.names].filter((name) => name !== reference);
    const used = [...this.containers.values()].some((container) => container.image === image);
    if (others.length === 0 && used) return Promise.resolve(false);
    image.names.delete(reference);
    if (others.length === 0) this.images.delete(image.id);
    return Promise.resolve(true);
  }

  async removeNameless(ids: readonly string[], { spareNames }: NamelessRemoval = {}): Promise<Removals> {
    const removed: string[] = [];
    const failed = new Map<string, unknown>();
    for (const id of ids) {
      const image = this.#find(id);
      const isParent = [...this.images.values()].some(({ parent }) => parent === image?.id);
      if (image?.names.size !== 0 || isParent) continue;
      const spare = spareNames?.get(id);
      if (spare !== undefined) await this.tagImage(id, spare);
      await this.removeImage(spare ?? image.id).then(
        (isGone) => isGone && removed.push(id),
        (error: unknown) => failed.set(id, error),
      );
    }
    return { removed, failed };
  }

  createContainer(request: ContainerRequest, signal: AbortSignal): Promise<EngineContainer> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const image = this.#find(request.image);
    if (image === undefined) return Promise.reject(absent(request.image));
    const id = randomBytes(32).toString('hex');
    const container = { id, request, image, killed: new AbortController() };
    this.containers.set(id, container);
    return Promise.resolve({
      id,
      archive: (path) => archive(image, path),
      run: (onLine, stop) => this.#run(container, onLine, stop),
      start: () => Promise.resolve(),
      exec: () => Promise.reject(new EngineError('a fake engine runs nothing in working containers')),
      commit: () => Promise.reject(new EngineError('a fake engine makes no image of a container')),
      remove: () => this.removeContainer(id),
    });
  }

  listContainers(label: string): ReturnType<Engine['listContainers']> {
    const found = [...this.containers.values()].filter(({ request: { labels } }) => hasLabel(labels, label));
    return Promise.resolve(found.map(({ id, request: { labels } }) => ({ id, labels })));
  }

  removeContainer(id: string): Promise<void> {
    this.containers.get(id)?.killed.abort(new Error('killed'));
    this.containers.delete(id);
    return Promise.resolve();
  }

  async removeRunContainer(id: string): Promise<boolean> {
    const found = [...this.containers.keys()].find((whole) => whole.startsWith(id));
    if (found !== undefined) await this.removeContainer(found);
    return found !== undefined;
  }

  createVolume(name: string, labels: LabelledVolume['labels']): Promise<LabelledVolume> {
    const volume = this.volumes.get(name) ?? { name, labels };
    this.volumes.set(name, volume);
    return Promise.resolve(volume);
  }

  findVolume(name: string): Promise<LabelledVolume | undefined> {
    return Promise.resolve(this.volumes.get(name));
  }

  listVolumes(label: string): Promise<readonly LabelledVolume[]> {
    return Promise.resolve([...this.volumes.values()].filter(({ labels }) => hasLabel(labels, label)));
  }

  removeVolume({ name, labels }: LabelledVolume): Promise<void> {
    if (isDeepStrictEqual(this.volumes.get(name)?.labels, labels)) this.volumes.delete(name);
    return Promise.resolve();
  }

  gateway(network: string): Promise<string | undefined> {
    switch (network) {
      case 'default':
      case 'bridge':
        return Promise.resolve('172.17.0.1');
      case 'host':
        return Promise.resolve('127.0.0.1');
      case 'none':
        return Promise.resolve(undefined);
      default:
        return Promise.reject(absent(`network ${network}`));
    }
  }

  listIntermediateImages(): ReturnType<Engine['listIntermediateImages']> {
    const nameless = [...this.images.values()].filter(({ names }) => names.size === 0);
    return Promise.resolve(
      nameless.flatMap(({ id, parent }) => (parent === undefined ? [] : [{ id, parent }])),
    );
  }

  findNames(names: readonly string[]): ReturnType<Engine['findNames']> {
    const found = names.flatMap((name): [string, string][] => {
      const image = this.#find(name);
      return image === undefined ? [] : [[name, image.id]];
    });
    return Promise.resolve(new Map(found));
  }

  listImageNames(prefix: string): ReturnType<Engine['listImageNames']> {
    const names = [...this.images.values()].flatMap(({ id, names }) =>
      [...names].filter((name) => name.startsWith(prefix)).map((name) => ({ name, imageId: id })),
    );
    return Promise.resolve(names);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** Containers, volumes, and images without a name: a build that has ended must leave none. */
  countLeftovers(): number {
    const unnamed = [...this.images.values()].filter(({ names }) => names.size === 0);
    return this.containers.size + this.volumes.size + unnamed.length;
  }

  async #run(
    { request, killed }: FakeContainer,
    line: (stream: 'stdout' | 'stderr', text: string) => void,
    stop: AbortSignal,
  ): Promise<number> {
    const words = [...(request.entrypoint ?? []), ...request.command];
    const [, , text = words.join(' ')] = words;
    return runShell(text, this.scripts, { line, signal: AbortSignal.any([killed.signal, stop]) });
  }

  #find(reference: string): FakeImage | undefined {
    const isShort = /^[0-9a-f]{12,}$/.test(reference);
    return (
      this.images.get(reference) ??
      [...this.images.values()].find(
        ({ id, names }) => names.has(reference) || (isShort && id.startsWith(`sha256:${reference}`)),
      )
    );
  }

  #addImage(built: Built, name: string): FakeImage {
    const contents = [...built.files].map(([path, { entry, content }]) => [
      path,
      entry.mode,
      content.toString('hex'),
    ]);
    const id = digest(JSON.stringify([built.layers, built.labels, contents]));
    const image = this.images.get(id) ?? { ...built, id, names: new Set<string>() };
    this.images.set(id, image);
    this.#name(image, name);
    return image;
  }

  #name(image: FakeImage, name: string): void {
    for (const { names } of this.images.values()) names.delete(name);
    image.names.add(name);
  }
}

/** Paths in a tar of a container begin with the last part of what was asked for. */
function archive({ files }: FakeImage, path: string): Promise<Readable> {
  const wanted = path.replace(/^\//, '');
  const prefix = wanted.slice(0, wanted.lastIndexOf('/') + 1);
  const members = [...files]
    .filter(([name]) => name === wanted || name.startsWith(`${wanted}/`))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { entry, content }]): Member => ({
      entry: { ...entry, path: name.slice(prefix.length) },
      content,
    }));
  if (members.length === 0) return Promise.reject(absent(path));
  // A folder that was only made on the way to a copied file.
  if (!files.has(wanted)) members.unshift(folder(wanted.slice(prefix.length)));
  return Promise.resolve(streamOf(encode(members)));
}

function hasLabel(labels: Readonly<Record<string, string>>, label: string): boolean {
  const [key = '', value] = label.split('=');
  return value === undefined ? key in labels : labels[key] === value;
}

function digest(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function absent(what: string): EngineError {
  return new EngineError(`There is no ${what}`, { status: 404 });
}

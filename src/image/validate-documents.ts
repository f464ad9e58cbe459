/** Checks an archive's documents against each other and against its blobs, as long as there is something to check. */
import type { ArchiveFile } from './archive-file.js';
import {
  configFacts,
  dockerManifests,
  imageManifest,
  indexManifests,
  isAttestation,
  isObject,
  MEDIA,
  parseJson,
  type ConfigFacts,
  type Descriptor,
} from './documents.js';
import { ImageError, layerName } from './errors.js';
import { blobPath } from './locate.js';
import { quoted } from './names.js';
import type { ArchiveFiles } from './read-archive.js';
import type { SpoolFile } from './spool-file.js';

/** An image that was checked. */
export interface CheckedImage {
  readonly configDigest: string;
  readonly manifestDigest: string | undefined;
  readonly diffIds: readonly string[];
  readonly tags: readonly string[];
}

const DOCKER_KEYS = new Set(['Config', 'RepoTags', 'Layers', 'LayerSources', 'Parent']);

export class DocumentChecker {
  readonly #files: ArchiveFiles;
  readonly #spool: SpoolFile;
  readonly #layerProblems: ReadonlyMap<string, readonly string[]>;
  readonly problems = new Set<string>();
  /** By config digest. */
  readonly images = new Map<string, CheckedImage>();

  /** @param layerProblems what is wrong inside the layers, by path of the file */
  constructor(files: ArchiveFiles, spool: SpoolFile, layerProblems: ReadonlyMap<string, readonly string[]>) {
    this.#files = files;
    this.#spool = spool;
    this.#layerProblems = layerProblems;
  }

  async check(): Promise<void> {
    if (this.#files.get('index.json')) {
      await this.#attempt(() => this.#layout());
      await this.#attempt(async () => {
        await this.#index(indexManifests(await this.#json('index.json'), 'index.json'), 'index.json');
      });
    }
    if (this.#files.get('manifest.json')) await this.#attempt(() => this.#dockerManifests());
    if (this.images.size === 0)
      this.problems.add('The archive has neither a manifest.json nor an index.json with an image');
  }

  async #layout(): Promise<void> {
    if (!this.#files.get('oci-layout'))
      throw new ImageError('corrupt', 'The archive has an index.json but no oci-layout');
    const value = await this.#json('oci-layout');
    if (!isObject(value) || value['imageLayoutVersion'] !== '1.0.0')
      this.problems.add('"oci-layout" does not say that its version is 1.0.0');
  }

  async #index(manifests: readonly Descriptor[], within: string, depth = 0): Promise<void> {
    if (depth > 4) throw new ImageError('corrupt', 'The archive has indexes too deep in each other');
    for (const descriptor of manifests) {
      // A nested index may list platforms that were not saved; the top lists what is there.
      if (depth > 0 && !this.#files.get(blobPath(descriptor.digest))) continue;
      await this.#attempt(async () => {
        const what = blobPath(descriptor.digest);
        const value = parseJson(await this.#blob(descriptor, within), what);
        if (
          isObject(value) &&
          value['mediaType'] !== undefined &&
          value['mediaType'] !== descriptor.mediaType
        )
          this.problems.add(`${quoted(what)} is of another media type than ${quoted(within)} says`);
        if (isObject(value) && Array.isArray(value['manifests'])) {
          await this.#index(indexManifests(value, what), what, depth + 1);
        } else await this.#manifest(descriptor, value, what);
      });
    }
  }

  async #manifest(descriptor: Descriptor, value: unknown, what: string): Promise<void> {
    const { config, layers } = imageManifest(value, what);
    if (isAttestation(descriptor)) {
      for (const blob of [config, ...layers]) await this.#attempt(() => this.#descriptor(blob, what));
      return;
    }
    if (descriptor.mediaType !== MEDIA.manifest && descriptor.mediaType !== MEDIA.dockerManifest)
      this.problems.add(
        `${quoted(what)} is an image of the unknown media type ${quoted(descriptor.mediaType)}`,
      );
    const facts = configFacts(
      parseJson(await this.#blob(config, what), blobPath(config.digest)),
      blobPath(config.digest),
    );
    for (const layer of layers) {
      await this.#attempt(() => this.#descriptor(layer, what));
      this.#compression(layer, what);
    }
    this.#platform(descriptor, facts, what);
    this.#image(
      config.digest,
      facts,
      layers.map(({ digest }) => blobPath(digest)),
      what,
    );
    this.images.set(config.digest, {
      configDigest: config.digest,
      manifestDigest: descriptor.digest,
      diffIds: facts.diffIds,
      tags: [],
    });
  }

  async #dockerManifests(): Promise<void> {
    const value = await this.#json('manifest.json');
    const alone = this.images.size === 0;
    for (const item of Array.isArray(value) ? value.filter(isObject) : []) {
      for (const key of Object.keys(item))
        if (!DOCKER_KEYS.has(key)) this.problems.add(`"manifest.json" has the unknown key ${quoted(key)}`);
    }
    for (const { config, layers, tags } of dockerManifests(value)) {
      await this.#attempt(async () => {
        const file = this.#file(config, 'manifest.json');
        const facts = configFacts(parseJson(await this.#bytes(file), config), config);
        const known = this.images.get(file.digest);
        if (!alone && !known)
          this.problems.add(`"manifest.json" has an image that "index.json" has not: ${file.digest}`);
        this.#image(file.digest, facts, layers, 'manifest.json');
        const manifestDigest = known?.manifestDigest;
        this.images.set(file.digest, {
          configDigest: file.digest,
          manifestDigest,
          diffIds: facts.diffIds,
          tags,
        });
      });
    }
  }

  /** A config against the layers that a manifest lists. */
  #image(digest: string, facts: ConfigFacts, layers: readonly string[], what: string): void {
    const { diffIds, emptyLayers } = facts;
    if (layers.length !== diffIds.length)
      this.problems.add(
        `${quoted(what)} lists ${layers.length} layers, the config ${digest} ${diffIds.length}`,
      );
    const made = emptyLayers.filter((empty) => !empty).length;
    if (emptyLayers.length > 0 && made !== diffIds.length)
      this.problems.add(
        `The history of the config ${digest} has ${made} layers instead of ${diffIds.length}`,
      );
    for (const [index, path] of layers.entries()) {
      const diffId = diffIds[index];
      const name = layerName(index + 1, layers.length, diffId);
      const file = this.#files.get(path);
      if (!file) this.problems.add(`${name} is missing: ${quoted(path)}`);
      else for (const problem of this.#layer(file, diffId)) this.problems.add(`${name} ${problem}`);
    }
  }

  #layer({ path, content }: ArchiveFile, diffId: string | undefined): readonly string[] {
    if (content.kind === 'unreadable') return [content.problem.text];
    if (content.kind !== 'layer') return ['is not a tar archive'];
    const { index } = content;
    const wrong =
      diffId === undefined || content.diffId === diffId ? [] : [`has other content: ${content.diffId}`];
    const found = [index?.broken?.text, index?.unfit?.text].filter((text) => text !== undefined);
    return [...wrong, ...found, ...(index?.broken ? [] : (this.#layerProblems.get(path) ?? []))];
  }

  #compression(layer: Descriptor, what: string): void {
    const content = this.#files.get(blobPath(layer.digest))?.content;
    if (content?.kind !== 'layer') return;
    const says = /[.+]gzip$/.test(layer.mediaType) ? 'gzip' : 'none';
    const tar =
      /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+]gzip)?$/;
    if (content.compression !== says || !tar.test(layer.mediaType))
      this.problems.add(
        `${quoted(what)} gives the wrong media type for ${layer.digest}: ${quoted(layer.mediaType)}`,
      );
  }

  #platform({ platform }: Descriptor, facts: ConfigFacts, what: string): void {
    if (!isObject(platform)) return;
    if (platform['os'] !== facts.os || platform['architecture'] !== facts.architecture)
      this.problems.add(`${quoted(what)} is for another platform than its config`);
  }

  async #blob(descriptor: Descriptor, within: string): Promise<Buffer> {
    return this.#bytes(await this.#descriptor(descriptor, within));
  }

  #descriptor({ digest, size }: Descriptor, within: string): Promise<ArchiveFile> {
    const file = this.#file(blobPath(digest), within);
    if (file.size !== size)
      this.problems.add(`${quoted(within)} gives ${digest} ${size} bytes instead of ${file.size}`);
    return Promise.resolve(file);
  }

  #file(path: string, within: string): ArchiveFile {
    const file = this.#files.get(path);
    if (file) return file;
    throw new ImageError('truncated', `${quoted(path)} is missing, which ${quoted(within)} lists`);
  }

  async #json(path: string): Promise<unknown> {
    return parseJson(await this.#bytes(this.#file(path, 'the archive')), path);
  }

  async #bytes(file: ArchiveFile): Promise<Buffer> {
    if (file.content.kind !== 'data')
      throw new ImageError('corrupt', `${quoted(file.path)} is not a document`);
    const bytes = Buffer.alloc(file.size);
    await this.#spool.read(bytes, file.content.start);
    return bytes;
  }

  /** One problem must not hide the others. */
  async #attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      this.problems.add(error.message);
    }
  }
}

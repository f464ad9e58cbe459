/** Finds the images of an archive by its documents: `manifest.json` of docker, `index.json` of OCI layouts, or both. */
import type { ArchiveFile } from './archive-file.js';
import {
  configFacts,
  dockerManifests,
  imageManifest,
  indexManifests,
  isAttestation,
  isDigest,
  isObject,
  MEDIA,
  parseJson,
  type ConfigFacts,
  type Descriptor,
} from './documents.js';
import { ImageError } from './errors.js';
import { quoted } from './names.js';
import type { ArchiveFiles } from './read-archive.js';
import type { SpoolFile } from './spool-file.js';

const INDEX_DEPTH = 4;

/** An image as the archive's documents describe it; its layers are not looked at. */
export interface LocatedImage {
  readonly config: Buffer;
  readonly configDigest: string;
  readonly facts: ConfigFacts;
  /** Paths of the layers in the archive, base first. */
  readonly layerPaths: readonly string[];
  /** `repository:tag`. */
  readonly tags: readonly string[];
  /** Its OCI manifest, where the archive has one. */
  readonly manifest: LocatedManifest | undefined;
}

export interface LocatedManifest {
  readonly digest: string;
  /** Descriptors of the layers, base first. */
  readonly layers: readonly Descriptor[];
}

export interface Located {
  readonly images: readonly LocatedImage[];
  /** What the archive has and a squashed image will not: for people. */
  readonly dropped: readonly string[];
}

/** @throws ImageError where the documents are missing, malformed, or contradict the files */
export async function locateImages(files: ArchiveFiles, spool: SpoolFile): Promise<Located> {
  const documents = new Documents(files, spool);
  const dropped: string[] = [];
  const images = new Map<string, LocatedImage>();
  if (files.get('index.json')) {
    const index = await documents.json('index.json');
    for await (const found of ociImages(documents, indexManifests(index, 'index.json'), dropped, 0)) {
      if (!images.has(found.configDigest)) images.set(found.configDigest, found);
    }
  }
  if (files.get('manifest.json')) {
    for (const item of dockerManifests(await documents.json('manifest.json'))) {
      const config = await documents.bytes(item.config);
      const configDigest = documents.digest(item.config);
      images.set(configDigest, {
        config,
        configDigest,
        facts: configFacts(parseJson(config, item.config), item.config),
        layerPaths: item.layers,
        tags: item.tags,
        manifest: images.get(configDigest)?.manifest,
      });
    }
  }
  if (images.size > 0) return { images: [...images.values()], dropped };
  throw new ImageError(
    'not-an-image',
    'The archive has neither a manifest.json nor an index.json with an image',
    {
      hint: 'Pass what `docker save` writes, or an OCI image layout as a tar file.',
    },
  );
}

async function* ociImages(
  documents: Documents,
  manifests: readonly Descriptor[],
  dropped: string[],
  depth: number,
): AsyncGenerator<LocatedImage> {
  for (const descriptor of manifests) {
    const path = blobPath(descriptor.digest);
    if (isAttestation(descriptor)) {
      dropped.push(`the attestation ${descriptor.digest}`);
      continue;
    }
    // An index may list platforms that were not saved.
    if (!documents.has(path)) continue;
    const value = parseJson(await documents.blob(descriptor), path);
    const isIndex =
      descriptor.mediaType === MEDIA.index ||
      descriptor.mediaType === MEDIA.dockerList ||
      (isObject(value) && Array.isArray(value['manifests']));
    if (isIndex) {
      if (depth === INDEX_DEPTH)
        throw new ImageError('corrupt', 'The image archive has indexes too deep in each other');
      yield* ociImages(documents, indexManifests(value, path), dropped, depth + 1);
      continue;
    }
    const { config, layers } = imageManifest(value, path);
    if (!documents.has(blobPath(config.digest))) continue;
    const bytes = await documents.blob(config);
    yield {
      config: bytes,
      configDigest: config.digest,
      facts: configFacts(parseJson(bytes, blobPath(config.digest)), blobPath(config.digest)),
      layerPaths: layers.map((layer) => blobPath(layer.digest)),
      tags: [],
      manifest: { digest: descriptor.digest, layers },
    };
  }
}

/** Where an OCI layout has a blob. */
export function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** The small files of an archive, each checked against the digest in its name. */
class Documents {
  readonly #files: ArchiveFiles;
  readonly #spool: SpoolFile;

  constructor(files: ArchiveFiles, spool: SpoolFile) {
    this.#files = files;
    this.#spool = spool;
  }

  has(path: string): boolean {
    return this.#files.get(path) !== undefined;
  }

  digest(path: string): string {
    return this.#file(path).digest;
  }

  async json(path: string): Promise<unknown> {
    return parseJson(await this.bytes(path), path);
  }

  async blob(descriptor: Descriptor): Promise<Buffer> {
    const path = blobPath(descriptor.digest);
    const { size } = this.#file(path);
    if (size === descriptor.size) return this.bytes(path);
    throw new ImageError(
      'corrupt',
      `${quoted(path)} of the image archive has ${size} bytes instead of ${descriptor.size}`,
    );
  }

  async bytes(path: string): Promise<Buffer> {
    const file = this.#file(path);
    if (file.content.kind !== 'data') {
      throw new ImageError('corrupt', `${quoted(path)} of the image archive is not a document`);
    }
    checkNamedDigest(file);
    const bytes = Buffer.alloc(file.size);
    await this.#spool.read(bytes, file.content.start);
    return bytes;
  }

  #file(path: string): ArchiveFile {
    const file = this.#files.get(path);
    if (file) return file;
    throw new ImageError('truncated', `The image archive lacks ${quoted(path)}`, {
      hint: 'Save the image again: the archive seems to be cut off or changed.',
    });
  }
}

/** Files named by their digest: blobs of OCI layouts, and configs of docker archives. */
export function namedDigest(path: string): string | undefined {
  const match = /^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.json)$/.exec(path);
  const digest = `sha256:${match?.[1] ?? match?.[2] ?? ''}`;
  return isDigest(digest) ? digest : undefined;
}

/** @throws ImageError */
export function checkNamedDigest(file: ArchiveFile): void {
  const named = namedDigest(file.path);
  if (named === undefined || named === file.digest) return;
  throw new ImageError(
    'corrupt',
    `${quoted(file.path)} of the image archive has other content than its name says: ${file.digest}`,
  );
}

/** Reads an image archive once: the layers above the base go into one unlinked file, the others are checked and indexed. */
import type { Readable } from 'node:stream';
import type { Keep, LayerContent } from './archive-file.js';
import { ExpansionBudget, type ExpansionLimit } from './budget.js';
import { ImageError, layerError, layerName } from './errors.js';
import type { LayerLog } from './layer-log.js';
import {
  checkNamedDigest,
  locateImages,
  namedDigest,
  type LocatedImage,
  type LocatedManifest,
} from './locate.js';
import { readArchive, type ArchiveFiles } from './read-archive.js';
import { SpoolFile } from './spool-file.js';

/** What the archive is to hold. */
export interface Expected {
  /** diff IDs of all layers, base first: `RootFS.Layers` of the image. */
  readonly diffIds: readonly string[];
  /** How many of them, from the first on, are the base's; 0 merges everything. */
  readonly baseLayers: number;
  /** Digest of the config, to tell images of equal layers in one archive apart. */
  readonly config?: string;
}

export interface SpoolOptions {
  /** Spool the base's layers too: `composeFullArchive` writes them. */
  readonly keepBase?: boolean;
  readonly limit?: ExpansionLimit;
}

export interface ArchiveLayer {
  /** sha256 of the unpacked bytes, verified. */
  readonly diffId: string;
  /** Unpacked bytes. */
  readonly size: number;
  /** Offset of the unpacked bytes in the spool; absent for base layers that were not kept. */
  readonly start: number | undefined;
  readonly log: LayerLog;
}

/** An image whose layers are known. Dispose it: that gives the disk space back. */
export interface ImageArchive extends AsyncDisposable {
  readonly config: Buffer;
  /** The image ID, on engines with graphdrivers. */
  readonly configDigest: string;
  /** All layers, base first. */
  readonly layers: readonly ArchiveLayer[];
  readonly baseLayers: number;
  /** `repository:tag`. */
  readonly tags: readonly string[];
  /** Its OCI manifest, where the archive has one: the containerd store's always do. */
  readonly manifest: LocatedManifest | undefined;
  /** All images that the archive holds, this one included: more than one where several names were saved at once. */
  readonly images: readonly ListedImage[];
  /** What the archive has and the new image will not, e.g. `the attestation sha256:…`. */
  readonly dropped: readonly string[];
  readonly spool: SpoolFile;
}

/** What an archive says it holds; nothing of its layers was checked. */
export interface ListedImage {
  readonly config: Buffer;
  readonly configDigest: string;
  readonly diffIds: readonly string[];
  readonly tags: readonly string[];
}

/**
 * The images of an archive, to choose one and to know its layers before reading it in earnest. Costs a pass.
 * @throws ImageError, the stream's error, or the signal's reason
 */
export async function listImages(stream: Readable, signal: AbortSignal): Promise<readonly ListedImage[]> {
  await using spool = await SpoolFile.openFor(stream);
  const reading = { spool, budget: new ExpansionBudget(), keep: (): Keep => 'nothing' };
  const files = await readArchive(stream, reading, signal);
  const { images } = await locateImages(files, spool);
  return images.map(listed);
}

function listed({ config, configDigest, facts, tags }: LocatedImage): ListedImage {
  return { config, configDigest, diffIds: facts.diffIds, tags };
}

/**
 * @param coming the body of `GET /images/{name}/get`, or a `docker save` or OCI layout tar; read to its end
 * @throws ImageError, the stream's error or that of opening it, or the signal's reason
 */
export async function spoolImageArchive(
  coming: Readable | Promise<Readable>,
  expected: Expected,
  signal: AbortSignal,
  options: SpoolOptions = {},
): Promise<ImageArchive> {
  const { diffIds, baseLayers } = expected;
  const { spool, stream } = await SpoolFile.openBeside(Promise.resolve(coming));
  try {
    if (baseLayers > diffIds.length)
      throw new ImageError(
        'mismatch',
        `The image has ${diffIds.length} layers, fewer than its base's ${baseLayers}`,
      );
    const reading = { spool, budget: new ExpansionBudget(options.limit), keep: keeper(expected, options) };
    const files = await readArchive(stream, reading, signal);
    await spool.trim();
    const { images, dropped } = await locateImages(files, spool);
    const image = choose(images, expected);
    return {
      config: image.config,
      configDigest: image.configDigest,
      layers: layersOf(image, files, expected),
      baseLayers,
      tags: image.tags,
      manifest: image.manifest,
      images: images.map(listed),
      dropped,
      spool,
      [Symbol.asyncDispose]: () => spool[Symbol.asyncDispose](),
    };
  } catch (error) {
    stream.destroy();
    await spool[Symbol.asyncDispose]();
    throw error;
  }
}

/** Equal layers are spooled once; a layer that the base and the rest both have, too. */
function keeper(expected: Expected, options: SpoolOptions): (diffId: string) => Keep {
  const base = new Set(expected.diffIds.slice(0, expected.baseLayers));
  const upper = new Set(expected.diffIds.slice(expected.baseLayers));
  return (diffId) => {
    if (upper.has(diffId)) return 'bytes';
    if (base.has(diffId)) return options.keepBase === true ? 'bytes' : 'index';
    return 'nothing';
  };
}

function choose(images: readonly LocatedImage[], { diffIds, config }: Expected): LocatedImage {
  const wanted = JSON.stringify(diffIds);
  const found = images.filter(
    ({ facts, configDigest }) =>
      JSON.stringify(facts.diffIds) === wanted && (config === undefined || configDigest === config),
  );
  const [image] = found;
  if (image === undefined)
    throw new ImageError('mismatch', 'The archive holds another image than the one that was asked for', {
      hint: 'Was the image built again meanwhile? Try once more.',
    });
  if (found.length > 1)
    throw new ImageError('mismatch', `The archive holds ${found.length} images with the same layers`, {
      hint: 'Save one image only.',
    });
  if (image.layerPaths.length === diffIds.length) return image;
  throw new ImageError(
    'corrupt',
    `The image's manifest lists ${image.layerPaths.length} layers, its config ${diffIds.length}`,
  );
}

function layersOf(image: LocatedImage, files: ArchiveFiles, expected: Expected): ArchiveLayer[] {
  return expected.diffIds.map((diffId, at) => {
    const content = contentOf(image, files, diffId, at, expected.diffIds.length);
    const { index, size, start } = content;
    const fail = (problem: Parameters<typeof layerError>[0]) =>
      layerError(problem, at + 1, expected.diffIds.length, diffId);
    if (index === undefined) throw new Error('An expected layer was not indexed');
    if (index.broken) throw fail(index.broken);
    if (index.unfit && at >= expected.baseLayers) throw fail(index.unfit);
    return { diffId, size, start, log: index.log };
  });
}

function contentOf(
  image: LocatedImage,
  files: ArchiveFiles,
  diffId: string,
  at: number,
  layers: number,
): LayerContent {
  const path = image.layerPaths[at] ?? '';
  const name = layerName(at + 1, layers, diffId);
  const hint = 'Save the image again: the archive seems to be cut off or changed.';
  const file = files.get(path);
  if (!file)
    throw new ImageError('truncated', `${name} is missing in the image archive`, { layer: at + 1, hint });
  const { content } = file;
  if (content.kind === 'unreadable') throw layerError(content.problem, at + 1, layers, diffId);
  checkDescriptor(image, at, file, name);
  if (content.kind !== 'layer')
    throw new ImageError('corrupt', `${name} is not a tar archive`, { layer: at + 1, hint });
  if (content.diffId === diffId) return content;
  throw new ImageError('corrupt', `${name} has other content than its digest says: ${content.diffId}`, {
    layer: at + 1,
    hint,
  });
}

/** The blob must be what its name and the manifest say, whatever it unpacks to. */
function checkDescriptor(
  image: LocatedImage,
  at: number,
  file: NonNullable<ReturnType<ArchiveFiles['get']>>,
  name: string,
): void {
  const descriptor = image.manifest?.layers[at];
  if (namedDigest(file.path) !== undefined && file.content.kind === 'layer') checkNamedDigest(file);
  if (descriptor?.digest === file.digest && descriptor.size !== file.size) {
    throw new ImageError('corrupt', `${name} has ${file.size} bytes instead of ${descriptor.size}`, {
      layer: at + 1,
    });
  }
}

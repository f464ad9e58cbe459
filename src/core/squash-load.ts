/** Loads a squashed image into an engine, without a name, and makes sure that it is there or that nothing is. */
import type { LoadArchive, LoadTarget, Prediction } from '../image/compose.js';
import type { ImageArchive } from '../image/spool.js';
import { EngineError } from './errors.js';
import { metered, type Count } from './image-progress.js';
import { removeIfNameless } from './naming.js';
import type { Engine } from './ports.js';

/** Whether an image of these layers, base first, lies on that base. */
export function isPrefix(base: readonly string[], layers: readonly string[]): boolean {
  return base.length <= layers.length && base.every((layer, index) => layer === layers[index]);
}

/** How the engine that the archive came from can load a new image on its base. */
export function targetFor(engine: Engine, { manifest }: ImageArchive, baseLayers: number): LoadTarget {
  switch (engine.info.store) {
    case 'graphdriver':
      return { store: 'graphdriver' };
    case 'containerd':
      if (manifest === undefined) throw new EngineError('the engine saved an image without its manifest');
      return { store: 'containerd', baseDescriptors: manifest.layers.slice(0, baseLayers) };
  }
}

/** Engines say "Loaded" of images that are dead: only what inspect tells counts. */
async function verifyLoaded(
  engine: Engine,
  { imageId, diffIds }: Pick<Prediction, 'imageId' | 'diffIds'>,
  signal: AbortSignal,
): Promise<void> {
  const loaded = await engine.describeImage(imageId, signal);
  if (loaded?.layers.length === diffIds.length && isPrefix(diffIds, loaded.layers)) return;
  throw new EngineError(`the engine did not take the squashed image ${imageId}`, {
    hint: 'Nothing was lost: earlier images keep their names.',
  });
}

/** An archive whose image is known before it is loaded. */
export interface Loadable extends Pick<LoadArchive, 'size' | 'stream'> {
  readonly imageId: string;
  readonly diffIds: readonly string[];
}

/**
 * Read an archive once for the digest of its layer: the image must be known before it is loaded, to tell it from what was there
 * and to find it again after a load that failed.
 */
export async function toLoadable(archive: LoadArchive, count: Count, signal: AbortSignal): Promise<Loadable> {
  for await (const chunk of archive.stream(signal)) count((chunk as Buffer).length);
  const { imageId, diffIds } = archive.prediction();
  return { imageId, diffIds, size: archive.size, stream: (given) => archive.stream(given) };
}

/** Whether the engine has just this image, with or without a name. */
export async function hasImage(
  { imageId, diffIds }: Loadable,
  engine: Engine,
  signal: AbortSignal,
): Promise<boolean> {
  const known = await engine.describeImage(imageId, signal);
  return known?.layers.length === diffIds.length && isPrefix(diffIds, known.layers);
}

/**
 * Load an image that the engine does not have; when that fails, it does not have it afterwards either.
 * An archive that has been sent whole is waited for even when the signal comes: engines go on loading it without anybody
 * listening, and the image would appear after everybody has left.
 * @throws EngineError, or the signal's reason
 */
export async function loadVerified(
  archive: Loadable,
  engine: Engine,
  count: Count,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const cut = new AbortController();
  let unsent = archive.size;
  const stop = (): void => {
    if (unsent > 0) cut.abort(signal.reason);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const stream = metered(archive.stream(cut.signal), (bytes) => {
      unsent -= bytes;
      count(bytes);
    });
    await engine.archives.loadImages(stream, cut.signal);
    signal.throwIfAborted();
    await verifyLoaded(engine, archive, signal);
  } catch (error) {
    // The first error is the one to tell.
    await removeIfNameless(engine, archive.imageId).catch(() => undefined);
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

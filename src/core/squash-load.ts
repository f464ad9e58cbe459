/** Loads a squashed image into an engine, without a name, and makes sure that it is there or that nothing is. */
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
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

type Known = Pick<Prediction, 'imageId' | 'diffIds'>;

/** An archive whose image is known before the last of it goes out, without which no engine takes it. */
export interface Loadable {
  readonly size: number;
  /** @param onKnown awaited before the last of it */
  stream(signal: AbortSignal, onKnown: (image: Known) => Promise<void>): Readable;
}

export interface Loaded extends Known {
  /** Whether the engine had just this image before, with or without a name. */
  readonly known: boolean;
}

async function hasImage({ imageId, diffIds }: Known, engine: Engine, signal: AbortSignal): Promise<boolean> {
  const known = await engine.describeImage(imageId, signal);
  return known?.layers.length === diffIds.length && isPrefix(diffIds, known.layers);
}

/**
 * Read an archive once for the digest of its layer, where chances are good that the engine has the image already.
 * @returns `undefined` where it has not
 */
export async function findLoaded(
  archive: LoadArchive,
  engine: Engine,
  signal: AbortSignal,
): Promise<Loaded | undefined> {
  await finished(archive.stream(signal).resume());
  const image = archive.prediction();
  return (await hasImage(image, engine, signal)) ? { ...image, known: true } : undefined;
}

export interface LoadWatch {
  readonly count: Count;
  /** Called with its ID before the image can be in the engine, where it has no name at first. */
  readonly onKnown: (imageId: string) => void;
}

/**
 * Load an image; when that fails, an engine that did not have it does not have it afterwards either.
 * An archive that has been sent whole is waited for even when the signal comes: engines go on loading it without anybody
 * listening, and the image would appear after everybody has left.
 * @throws EngineError, or the signal's reason
 */
export async function loadVerified(
  archive: Loadable,
  engine: Engine,
  { count, onKnown }: LoadWatch,
  signal: AbortSignal,
): Promise<Loaded> {
  signal.throwIfAborted();
  const cut = new AbortController();
  let unsent = archive.size;
  let image: Loaded | undefined;
  const stop = (): void => {
    if (unsent > 0) cut.abort(signal.reason);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const stream = archive.stream(cut.signal, async (known) => {
      image = { ...known, known: await hasImage(known, engine, cut.signal) };
      onKnown(known.imageId);
    });
    const metre = metered(stream, (bytes) => {
      unsent -= bytes;
      count(bytes);
    });
    await engine.archives.loadImages(metre, cut.signal);
    signal.throwIfAborted();
    const loaded = sent(image);
    await verifyLoaded(engine, loaded, signal);
    return loaded;
  } catch (error) {
    // The first error is the one to tell.
    if (image?.known === false) await removeIfNameless(engine, image.imageId).catch(() => undefined);
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

const TRIES = 3;

/**
 * As `loadVerified`, and give the image a name. Another session that has made just this image may be removing its own: what went
 * with that is loaded once more.
 */
export async function loadNamed(
  archive: Loadable,
  tag: string,
  engine: Engine,
  watch: LoadWatch,
  signal: AbortSignal,
): Promise<Loaded> {
  for (let tries = 1; ; tries += 1) {
    const loaded = await loadVerified(archive, engine, watch, signal);
    if (await engine.holdImage(loaded.imageId, tag)) return loaded;
    if (tries === TRIES) {
      throw new EngineError(`the squashed image ${loaded.imageId} is gone right after it was loaded`, {
        hint: 'Does something on this engine remove images, e.g. `docker image prune -a`?',
      });
    }
  }
}

function sent(image: Loaded | undefined): Loaded {
  if (image !== undefined) return image;
  throw new EngineError('the engine did not read the squashed image to its end', {
    hint: 'Nothing was lost: earlier images keep their names.',
  });
}

/** Replaces a built image by one whose layers above the base are one layer, and removes all that knew the others. */
import { composeLoadArchive } from '../image/compose.js';
import { ImageError } from '../image/errors.js';
import { mergeLayers, type MergeStats } from '../image/merged-layer.js';
import { listImages, spoolImageArchive, type ListedImage } from '../image/spool.js';
import { EngineError, StepError } from './errors.js';
import type { PlannedBase, PlannedStep, SquashScope } from './plan.js';
import type { Engine, ImageDescription } from './ports.js';
import type { Session } from './session.js';
import { isPrefix, loadNamed, targetFor } from './squash-load.js';
import type { StepReporter } from './step-reporter.js';
import type { StepSettings } from './step.js';

export interface SquashRequest {
  /** What becomes one layer; `nothing`: only what cleanup did, on top of the layers as they were built. */
  readonly scope: SquashScope | 'nothing';
  readonly base: PlannedBase;
  /** What was built: its config is kept. */
  readonly built: ImageDescription;
  /** The session's name of it; the squashed image has this name afterwards. */
  readonly tag: string;
  /** The name of the image whose layers count: the cleaned one, or `tag`. */
  readonly source: string;
}

export interface Squashed {
  readonly imageId: string;
  readonly layers: number;
  readonly stats: MergeStats;
  /** The instructions that made what was removed, as the image's history tells them, the lowest first. */
  readonly createdBy: readonly string[];
  /** What the new image cannot keep, e.g. an attestation. */
  readonly dropped: readonly string[];
  /** The engine never frees a layer that holds what was removed. */
  readonly stuck: boolean;
}

/**
 * The built image keeps its name until the new one was loaded and checked.
 * @throws StepError where the image cannot be squashed, EngineError where the engine fails
 */
export async function squashImage(
  request: SquashRequest,
  engine: Engine,
  session: Session,
  signal: AbortSignal,
): Promise<Squashed> {
  const { built, tag, source } = request;
  const image = source === tag ? built : await engine.describeImage(source, signal);
  if (image === undefined) throw new EngineError(`the cleaned image ${source} is gone`);
  const baseLayers = await countBaseLayers(request, engine, session, signal);
  try {
    const names = namesToSave(request, image, engine);
    const saved = engine.archives.saveImages(names, signal);
    await using archive = await spoolImageArchive(saved, { diffIds: image.layers, baseLayers }, signal);
    const layer = await mergeLayers(archive);
    const images = names.includes(tag)
      ? archive.images
      : await listImages(await engine.archives.saveImages([tag], signal), signal);
    const config = configOf(built, images);
    const load = composeLoadArchive({
      config,
      baseLayers,
      layer,
      target: targetFor(engine, archive, baseLayers),
    });
    const noted = (id: string): void => {
      session.note({ kind: 'image', id });
    };
    // The built image loses its name to the squashed one.
    noted(built.id);
    const squashed = await loadNamed(load, tag, engine, { count: () => undefined, onKnown: noted }, signal);
    return {
      imageId: squashed.imageId,
      layers: squashed.diffIds.length,
      stats: layer.stats,
      createdBy: createdBy(config, baseLayers, layer.stats.removedFrom),
      dropped: archive.dropped,
      stuck:
        losesTwins(engine) &&
        highestTwin(image.layers) >= baseLayers + (layer.stats.removedFrom[0] ?? Infinity),
    };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new StepError({ message: `it cannot be squashed: ${error.message}`, output: [] }, error);
  }
}

async function countBaseLayers(
  { scope, base, built }: SquashRequest,
  engine: Engine,
  session: Session,
  signal: AbortSignal,
): Promise<number> {
  if (scope === 'nothing') return built.layers.length;
  if (scope === 'scratch' || base.kind === 'scratch') return 0;
  const reference = base.kind === 'step' ? session.tagOf(base.label) : base.reference;
  const known = await engine.describeImage(reference, signal);
  if (known !== undefined && isPrefix(known.layers, built.layers)) return known.layers.length;
  // BuildKit keeps bases to itself, and may have found a newer image of this name than the engine has.
  if (base.kind === 'image') {
    await engine.archives.pullImage(reference, signal);
    const pulled = await engine.describeImage(reference, signal);
    if (pulled !== undefined && isPrefix(pulled.layers, built.layers)) return pulled.layers.length;
  }
  throw new StepError({
    message: `it cannot be squashed: its base ${reference} has other layers than those it was built on`,
    output: [],
    hint: 'Has the base changed meanwhile? Build again.',
  });
}

/**
 * Saving a layer twice in one request makes Docker 28's graphdrivers count one user too many (seen on 28.5.2): the layer and
 * those below it stay on disk after all images that had them are gone.
 */
function losesTwins({ info }: Engine): boolean {
  return info.store === 'graphdriver' && Number.parseInt(info.version, 10) >= 28;
}

/** The index of the highest layer that an image has twice, or -1. Instructions that change no file make equal layers. */
function highestTwin(layers: readonly string[]): number {
  return layers.findLastIndex((layer, index) => layers.indexOf(layer) < index);
}

/** One archive of both images is cheaper than two, but has what they share twice. */
function namesToSave(
  { built, tag, source }: SquashRequest,
  image: ImageDescription,
  engine: Engine,
): readonly string[] {
  // Nothing was cleaned: an engine may keep no layer of that, and two images of the same layers could not be told apart.
  if (image.layers.length === built.layers.length) return [tag];
  switch (engine.info.store) {
    case 'graphdriver':
      return [source];
    case 'containerd':
      return [tag, source];
  }
}

/** Committing changes ENTRYPOINT, CMD and more: the config is that of the built image, byte for byte. */
function configOf(built: ImageDescription, images: readonly ListedImage[]): Buffer {
  const same = images.find(
    ({ diffIds }) => diffIds.length === built.layers.length && isPrefix(diffIds, built.layers),
  );
  if (same === undefined)
    throw new EngineError('the engine saved another image than the one it was asked for');
  return same.config;
}

/** What the history says of layers; indexes count from the base on. */
function createdBy(config: Buffer, baseLayers: number, indexes: readonly number[]): readonly string[] {
  const { history = [] } = JSON.parse(config.toString()) as {
    history?: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
  };
  const layers = history.filter(({ empty_layer: empty }) => empty !== true);
  return indexes.flatMap((index) => layers[baseLayers + index]?.created_by ?? []);
}

/**
 * Remove the image that a squash has replaced, and the intermediate images it was made from, up to the base.
 * Those that something else uses stay: they are not removed by force.
 */
export async function removeReplaced(
  builtId: string,
  base: PlannedBase,
  engine: Engine,
  session: Session,
): Promise<void> {
  const reference =
    base.kind === 'step' ? session.tagOf(base.label) : base.kind === 'image' ? base.reference : undefined;
  const stop = reference === undefined ? undefined : (await engine.describeImage(reference))?.id;
  const made: string[] = [];
  for (let id: string | undefined = builtId; id !== undefined && id !== stop;) {
    const image: ImageDescription | undefined = await engine.describeImage(id);
    if (image === undefined || image.names.length > 0) break;
    made.push(id);
    id = image.parent;
  }
  const { failed } = await engine.removeNameless(made, { noPrune: true });
  for (const error of failed.values()) {
    session.keepJournal();
    throw error;
  }
}

/** Said of engines that keep layers for ever: what was removed is in no image, but still on their disk. */
export function warnOfStuckLayers({ stuck }: Squashed, report: StepReporter): void {
  if (!stuck) return;
  report.notice(
    'this version of Docker keeps what was removed on its disk, in no image: two layers of the step are equal, and it never frees such layers once they were saved. Instructions that change a file each avoid it',
  );
}

/** BuildKit remembers each layer; those that hold what was removed must go, or a later build would have it back. */
export async function forgetRemoved(
  { createdBy: instructions }: Squashed,
  { dockerfile, args, target }: PlannedStep,
  since: number,
  { engine, builder, keepBuildCache }: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<void> {
  const [lowest] = instructions;
  if (builder !== 'buildkit' || lowest === undefined) return;
  if (keepBuildCache) {
    report.notice('the build cache still holds what was removed, as --keep-build-cache asks');
    return;
  }
  const options = { buildArgs: args, ...(target !== undefined && { target }) };
  const removal = { instructions, dockerfile: dockerfile.content, options, since };
  const { removed, kept } = await engine.archives.forgetBuildCache(removal, signal);
  if (kept > 0)
    report.notice(
      `the build cache of "${lowest}" is in use by another build: ${kept} of its records may hold what was removed; \`docker builder prune\` removes them later`,
    );
  else if (removed === 0)
    report.notice(`no build cache was found of "${lowest}": it may still hold what was removed`);
}

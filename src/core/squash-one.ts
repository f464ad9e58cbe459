/** The command that squashes one image: find it, merge its layers, and load or write what comes out. */
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { composeFullArchive } from '../image/compose-full.js';
import { composeLoadArchive } from '../image/compose.js';
import { mergeLayers, type MergedLayer } from '../image/merged-layer.js';
import { spoolImageArchive, type ImageArchive } from '../image/spool.js';
import { EngineError, UsageError } from './errors.js';
import type { EmitImageEvent, SquashResult } from './image-api.js';
import { findImage, readFailure, type Connect, type FoundImage, type ImageInput } from './image-input.js';
import { asPhase, metered } from './image-progress.js';
import { Journal } from './journal.js';
import { newSessionId } from './marks.js';
import { nameAll, removeIfNameless, type NameChange } from './naming.js';
import { checkOutputFile, writeFailure, writeOutputFile } from './output-file.js';
import type { Engine } from './ports.js';
import { lockNames } from './promotion-lock.js';
import { Session } from './session.js';
import { countStaying, type Stays } from './squash-base.js';
import {
  findLoaded,
  loadVerified,
  targetFor,
  type Loadable,
  type Loaded,
  type LoadWatch,
} from './squash-load.js';
import type { UserFolder } from './user-folder.js';

export interface SquashOrder {
  readonly input: ImageInput;
  readonly stays: Stays;
  /** `repository:tag` */
  readonly names: readonly string[];
  readonly output: string | Writable | undefined;
}

interface Context {
  readonly connect: Connect;
  /** Where it is written down what a death would leave behind. */
  readonly folder: UserFolder;
  readonly emit: EmitImageEvent;
  readonly signal: AbortSignal;
}

/** @throws see `Squash` */
export async function squashOne(order: SquashOrder, context: Context): Promise<SquashResult> {
  const { connect, emit, signal } = context;
  const begun = Date.now();
  const output = typeof order.output === 'string' ? await checkOutputFile(order.output) : order.output;
  const image = await findImage(order.input, connect, emit, signal);
  const names = chooseNames(order, image);
  const baseLayers = await countStaying(order.stays, image, connect, emit, signal);
  try {
    // The engine that the image comes from has its base already.
    const keepBase = output !== undefined || image.kind === 'file';
    await using archive = await read(image, baseLayers, keepBase, context);
    const layer = await asPhase({ phase: 'merge', subject: 'layers' }, emit, async (count) => {
      const merged = await mergeLayers(archive);
      count(merged.size);
      return merged;
    });
    const made =
      output === undefined
        ? await toEngine(image, archive, layer, names, context)
        : await toOutput(output, archive, layer, names, context);
    const below = archive.layers.slice(0, baseLayers).reduce((sum, { size }) => sum + size, 0);
    return {
      ...made,
      names,
      baseLayers,
      layersBefore: archive.layers.length,
      layersAfter: baseLayers + 1,
      bytesBefore: below + layer.stats.bytesBefore,
      bytesAfter: below + layer.stats.bytes,
      pathsRemoved: layer.stats.removed,
      dropped: archive.dropped,
      durationMs: Date.now() - begun,
    };
  } catch (error) {
    signal.throwIfAborted();
    throw readFailure(error, `${image.label} cannot be squashed`);
  }
}

/** Without other words: on the engine the image's own name, in an archive the names it had. */
function chooseNames({ names, output }: SquashOrder, image: FoundImage): readonly string[] {
  if (names.length > 0) return names;
  switch (image.kind) {
    case 'image':
      if (image.ownName !== undefined) return [image.ownName];
      if (output !== undefined) return [];
      throw new UsageError(`${image.label} is no name that could move to the squashed image`, {
        hint: 'Give the result a name with -t NAME, or write it to a file with --output FILE.tar.',
      });
    case 'file':
      if (output !== undefined) return image.listed.tags;
      throw new UsageError(`it is not said where the squashed image of ${image.label} goes`, {
        hint: 'Write it to a file with --output FILE.tar, or load it into the engine with -t NAME.',
      });
  }
}

function read(
  image: FoundImage,
  baseLayers: number,
  keepBase: boolean,
  { emit, signal }: Context,
): Promise<ImageArchive> {
  const expected = {
    diffIds: image.layers,
    baseLayers,
    ...(image.kind === 'file' && { config: image.listed.configDigest }),
  };
  const subject = image.label.slice(1, -1);
  const total = image.kind === 'file' ? { total: image.size } : {};
  return asPhase({ phase: 'read', subject, ...total }, emit, (count) => {
    const opened = image.open(signal).then((stream) => metered(stream, count));
    return spoolImageArchive(opened, expected, signal, { keepBase });
  });
}

type Made = Pick<SquashResult, 'imageId' | 'known' | 'replaced'>;

async function toOutput(
  output: string | Writable,
  archive: ImageArchive,
  layer: MergedLayer,
  names: readonly string[],
  context: Context,
): Promise<Made> {
  const { emit, signal } = context;
  const full = await composeFullArchive({ archive, layer, names }, signal);
  const subject = typeof output === 'string' ? output : 'standard output';
  await asPhase({ phase: 'write', subject, total: full.size }, emit, async (count) => {
    const content = metered(full.stream(signal), count);
    if (typeof output === 'string') {
      await writeOutputFile(output, content, signal);
      return;
    }
    try {
      await pipeline(content, output, { signal, end: false });
    } catch (error) {
      signal.throwIfAborted();
      throw writeFailure(error, subject);
    }
  });
  return { imageId: full.prediction.imageId, known: false, replaced: [] };
}

async function toEngine(
  image: FoundImage,
  archive: ImageArchive,
  layer: MergedLayer,
  names: readonly string[],
  context: Context,
): Promise<Made> {
  const { signal } = context;
  const engine = image.kind === 'image' ? image.engine : await context.connect();
  const journal = new Journal(context.folder, newSessionId(), engine.info.id);
  const onKnown = (id: string): void => {
    journal.note({ kind: 'image', id });
  };
  const { imageId, known } =
    image.kind === 'image'
      ? await loadUpper(engine, archive, layer, onKnown, context)
      : await load(await withBase(engine, archive, layer, context), engine, onKnown, context);
  try {
    return { imageId, known, replaced: await moveNames(engine, imageId, names, journal, signal) };
  } catch (error) {
    if (!known) await removeIfNameless(engine, imageId).catch(() => undefined);
    throw error;
  } finally {
    journal.end();
  }
}

function load(
  archive: Loadable,
  engine: Engine,
  onKnown: LoadWatch['onKnown'],
  { emit, signal }: Context,
): Promise<Loaded> {
  const about = { phase: 'load', subject: engine.info.name, total: archive.size } as const;
  return asPhase(about, emit, (count) => loadVerified(archive, engine, { count, onKnown }, signal));
}

async function loadUpper(
  engine: Engine,
  archive: ImageArchive,
  layer: MergedLayer,
  onKnown: LoadWatch['onKnown'],
  context: Context,
): Promise<Loaded> {
  const { baseLayers, config, layers } = archive;
  const target = targetFor(engine, archive, baseLayers);
  const composed = composeLoadArchive({ config, baseLayers, layer, target });
  // What is one layer already may have been squashed before.
  const isOne = layers.length - baseLayers === 1;
  const found = isOne ? await findLoaded(composed, engine, context.signal) : undefined;
  return found ?? (await load(composed, engine, onKnown, context));
}

async function withBase(
  engine: Engine,
  archive: ImageArchive,
  layer: MergedLayer,
  { signal }: Context,
): Promise<Loadable> {
  const full = await composeFullArchive({ archive, layer }, signal);
  const { imageId, diffIds } = full.prediction;
  const id = engine.info.store === 'containerd' ? full.manifestDigest : imageId;
  return {
    size: full.size,
    stream: (signal, onKnown) =>
      Readable.from(
        afterwards(() => onKnown({ imageId: id, diffIds }), full.stream(signal)),
        {
          objectMode: false,
          signal,
        },
      ),
  };
}

async function* afterwards(first: () => Promise<void>, stream: Readable): AsyncGenerator<Buffer> {
  await first();
  for await (const chunk of stream) yield chunk as Buffer;
}

async function moveNames(
  engine: Engine,
  imageId: string,
  names: readonly string[],
  journal: Journal,
  signal: AbortSignal,
): Promise<SquashResult['replaced']> {
  const wanted = names.map((name) => ({ imageId, name }));
  // A death while names are given is found by its journal.
  journal.begin();
  const session = new Session(engine, [], { id: journal.session });
  let changes: readonly NameChange[];
  try {
    const locked = await lockNames(engine, session, wanted, { onRecovery: () => undefined }, signal);
    changes = locked.changes;
    // From here on a signal is not heeded: either all names are given or none.
    for (const { previous } of changes) {
      if (previous !== undefined) journal.note({ kind: 'image', id: previous });
    }
    await nameAll(engine, changes);
  } finally {
    // The lock goes with it. The names count, and its label tells whose it was.
    await session.dispose({ force: false, noPrune: true });
  }
  const replaced: { imageId: string; removed: boolean }[] = [];
  for (const id of new Set(changes.flatMap(({ previous }) => previous ?? []))) {
    const image = await engine.describeImage(id);
    if (image !== undefined && image.names.length > 0) continue;
    await removeIfNameless(engine, id).catch((error: unknown) => {
      // The squash itself is done: what could not be removed is said in the result.
      if (!(error instanceof EngineError)) throw error;
    });
    replaced.push({ imageId: id, removed: (await engine.describeImage(id)) === undefined });
  }
  return replaced;
}

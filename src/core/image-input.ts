/** The image that a command works on: one of an engine, or one in a tar on disk. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { ImageError } from '../image/errors.js';
import { listImages, type ListedImage } from '../image/spool.js';
import { ImageCommandError, UsageError } from './errors.js';
import type { EmitImageEvent } from './image-api.js';
import { asPhase, metered } from './image-progress.js';
import type { Engine, ImageDescription } from './ports.js';

/** Bytes of a file that are read at once. */
const PIECE = 1 << 18;

/** What a user's word means. */
export type ImageInput =
  | {
      readonly kind: 'image';
      readonly reference: string;
      /** The same as the engine would list it, `repository:tag`; absent for references by digest. */
      readonly name?: string;
    }
  | { readonly kind: 'file'; readonly path: string };

interface Common {
  /** For messages, in quotes. */
  readonly label: string;
  /** diff IDs, base first. */
  readonly layers: readonly string[];
  /** The image's archive, from its start each time. */
  open(signal: AbortSignal): Promise<Readable>;
}

/** An image that was found. */
export type FoundImage =
  | (Common & {
      readonly kind: 'image';
      readonly engine: Engine;
      readonly description: ImageDescription;
      /** The name it was asked for by, if it was a name. */
      readonly ownName: string | undefined;
    })
  | (Common & {
      readonly kind: 'file';
      /** Bytes. */
      readonly size: number;
      readonly listed: ListedImage;
    });

/** Connects at the first call: what works on files needs no engine. */
export type Connect = () => Promise<Engine>;

/** @throws UsageError where there is no such image, EngineError, or the signal's reason */
export async function findImage(
  input: ImageInput,
  connect: Connect,
  emit: EmitImageEvent,
  signal: AbortSignal,
): Promise<FoundImage> {
  switch (input.kind) {
    case 'image':
      return findOnEngine(input, await connect(), signal);
    case 'file':
      return findInFile(input.path, emit, signal);
  }
}

async function findOnEngine(
  { reference, name }: Extract<ImageInput, { kind: 'image' }>,
  engine: Engine,
  signal: AbortSignal,
): Promise<FoundImage> {
  const label = JSON.stringify(reference);
  const description = await engine.describeImage(reference, signal);
  if (description === undefined) {
    const isFile = (await stat(reference).catch(() => undefined)) !== undefined;
    throw new UsageError(`there is no image ${label} on the engine`, {
      hint: isFile
        ? `For the file of that name write ./${reference}.`
        : `Fetch it first: docker pull ${reference}`,
    });
  }
  const { id, layers, names } = description;
  return {
    kind: 'image',
    label,
    layers,
    engine,
    description,
    ownName: names.find((each) => each === name),
    // By its ID: the name may move meanwhile.
    open: (given) => engine.archives.saveImages([id], given),
  };
}

async function findInFile(path: string, emit: EmitImageEvent, signal: AbortSignal): Promise<FoundImage> {
  const label = JSON.stringify(path);
  const size = await checkInputFile(path);
  const open = (): Promise<Readable> => Promise.resolve(createReadStream(path, { highWaterMark: PIECE }));
  const images = await asPhase({ phase: 'look', subject: path, total: size }, emit, async (count) => {
    try {
      return await listImages(metered(await open(), count), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw readFailure(error, `${label} cannot be read`);
    }
  });
  const [listed, ...others] = images;
  if (listed === undefined || others.length > 0) {
    const names = images.map(({ tags, configDigest }) => tags[0] ?? configDigest.slice(0, 19));
    throw new UsageError(
      `${label} holds ${images.length} images: ${new Intl.ListFormat('en-GB').format(names)}`,
      { hint: 'Save one image only: docker save -o FILE.tar IMAGE' },
    );
  }
  return { kind: 'file', label, layers: listed.diffIds, size, listed, open };
}

/** @returns its size in bytes @throws UsageError */
export async function checkInputFile(path: string): Promise<number> {
  const label = JSON.stringify(path);
  try {
    const found = await stat(path);
    if (found.isFile()) return found.size;
    if (found.isDirectory())
      throw new UsageError(`${label} is a folder`, {
        hint: `For an OCI layout, pack it first: tar -cf image.tar -C ${path} .`,
      });
    throw new UsageError(`${label} is no ordinary file`, {
      hint: 'It is read twice: write it to a file first.',
    });
  } catch (error) {
    throw readFailure(error, `${label} cannot be read`);
  }
}

/**
 * What a user reads where an input cannot be used.
 * @param what begins the sentence, e.g. `"x.tar" cannot be read`
 */
export function readFailure(error: unknown, what: string): unknown {
  if (error instanceof ImageError) {
    const { trouble, message, hint } = error;
    const text = `${what}: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
    const details = { cause: error, ...(hint !== undefined && { hint }) };
    switch (trouble) {
      case 'not-an-image':
      case 'truncated':
      case 'corrupt':
      case 'hostile-name':
      case 'unsupported':
      case 'too-large':
        return new UsageError(text, details);
      case 'mismatch':
      case 'no-room':
        return new ImageCommandError(text, details);
    }
  }
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new UsageError(`${what}: ${code === 'ENOENT' ? 'there is no such file' : code}`, {
    cause: error,
    hint: 'Without a path in front, it is taken for the name of an image.',
  });
}

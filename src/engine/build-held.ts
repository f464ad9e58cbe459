/** A build whose image stays though other builds remove theirs meanwhile: what somebody took away is built once more. */
import { StepError } from '../core/errors.js';
import type { BuilderEvent, BuildRequest } from '../core/ports.js';
import type { BuildKitConnection } from './buildkit.js';
import type { ClassicBuild } from './classic.js';
import { holdImage, inspectImage } from './images.js';
import { removeOrphans, saysVanished } from './vanished.js';

const TRIES = 3;

/** See Engine.build. */
export async function buildHeld(
  connection: BuildKitConnection,
  request: BuildRequest,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<string> {
  const { transport, remover } = connection;
  const since = Date.now();
  let hasOrphans = false;
  for (let tries = 1; ; tries += 1) {
    let isNew = false as boolean;
    const listen = (event: BuilderEvent): void => {
      if (event.type === 'instruction' && event.instruction.state === 'finished') {
        const { text, cached } = event.instruction;
        if (MAKES_LAYER.test(text)) isNew = !cached;
      }
      onEvent(event);
    };
    const built = await attempt(connection, request, listen, signal);
    hasOrphans ||= built.hasOrphans === true;
    // Nobody else knows it yet who could remove it.
    if (isNew && built.imageId !== undefined) return built.imageId;
    const imageId =
      built.vanished === undefined ? await held(connection, request.tag, isNew, signal) : undefined;
    if (imageId !== undefined) {
      if (hasOrphans) await removeOrphans(transport, remover, imageId, since).catch(() => undefined);
      return imageId;
    }
    if (tries === TRIES) throw built.vanished ?? gone(request.tag);
    onEvent({
      type: 'warning',
      message: 'The image was removed as soon as it was built: building once more',
    });
  }
}

/** The texts of instructions but FROM, as builders tell them: `[2/5] RUN make`, `[stage-0 2/5] RUN make`. */
const MAKES_LAYER = /^\[(?:[^\]]+ )?\d+\/\d+\] (?!FROM\b)/i;

interface Built extends Partial<ClassicBuild> {
  /** Where the builder tells the ID that the engine lists it under. */
  readonly imageId?: string;
  /** Somebody has removed the image that was found in the cache before it got its name. */
  readonly vanished?: StepError;
}

async function attempt(
  connection: BuildKitConnection,
  request: BuildRequest,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<Built> {
  switch (request.builder) {
    // Either is loaded by the first build that needs it.
    case 'classic': {
      const { buildClassic } = await import('./classic.js');
      return buildClassic(connection, request, onEvent, signal);
    }
    case 'buildkit': {
      const { buildWithBuildKit } = await import('./buildkit.js');
      try {
        const imageId = await buildWithBuildKit(connection, request, onEvent, signal);
        // On the containerd store the ID that builders announce is not the one that the image is listed under.
        return connection.store === 'graphdriver' && imageId !== undefined ? { imageId } : {};
      } catch (error) {
        if (error instanceof StepError && saysVanished(error.message)) return { vanished: error };
        throw error;
      }
    }
  }
}

/** What was there before may be somebody's who is about to remove it. @returns its ID, if it stays */
async function held(
  { transport, store }: BuildKitConnection,
  tag: string,
  isNew: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  const image = await inspectImage(transport, tag, signal);
  if (image === undefined || isNew) return image?.Id;
  return (await holdImage(transport, store, image.Id, tag)) ? image.Id : undefined;
}

function gone(tag: string): StepError {
  return new StepError({
    message: `The image ${tag} is gone right after it was built`,
    output: [],
    hint: 'Does something on this engine remove images, e.g. `docker image prune -a`?',
  });
}

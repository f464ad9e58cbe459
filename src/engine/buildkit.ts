/** A build by BuildKit. */
import { Readable } from 'node:stream';
import { StepError } from '../core/errors.js';
import type { BuilderEvent, BuildRequest, EngineInfo } from '../core/ports.js';
import { isLookForImage } from './buildkit-output.js';
import { Progress, send, type BuiltByBuildKit } from './buildkit-send.js';
import type { BuildConnection } from './classic.js';
import { standsAlone, type RecentLooks } from './lone-dockerfile.js';
import { buildQuery } from './post-build.js';

export interface BuildKitConnection extends BuildConnection {
  /** Of the calling process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly store: EngineInfo['store'];
  readonly looks: RecentLooks;
}

/**
 * @returns the image ID that the builder announces, if it does
 * @throws StepError when the build fails, EngineError when the engine cannot be reached, the signal's reason when aborted
 */
export async function buildWithBuildKit(
  connection: BuildKitConnection,
  request: BuildRequest,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (Object.values(request.limits).some((limit) => limit !== undefined)) {
    onEvent({
      type: 'warning',
      message:
        'BuildKit does not limit memory and CPU of RUN: the limits count only with the classic builder',
    });
  }
  if (await standsAlone(request, connection.store, connection.looks)) {
    signal.throwIfAborted();
    const built = await buildAlone(connection, request, onEvent, signal);
    if (built !== 'lacks an image') return built.imageId;
  }
  // What sessions need is loaded by the first build that needs one.
  const { buildInSession } = await import('./buildkit-session.js');
  return (await buildInSession(connection, request, onEvent, signal)).imageId;
}

/** The body is the Dockerfile itself: BuildKit takes a context that is no archive for one. */
async function buildAlone(
  connection: BuildKitConnection,
  request: BuildRequest,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<BuiltByBuildKit | 'lacks an image'> {
  const progress = new Progress((event) => {
    // Its instruction begins once more, under the same ID.
    if (!isFailedLook(event)) onEvent(event);
  });
  const post = { query: buildQuery(request), headers: {}, body: Readable.from([request.dockerfile]) };
  try {
    return await send(connection, request, () => post, { progress }, signal);
  } catch (error) {
    // Removed meanwhile, or of another platform: registries are asked, which may want credentials.
    if (error instanceof StepError && progress.output.lacksImage) return 'lacks an image';
    throw error;
  }
}

function isFailedLook(event: BuilderEvent): boolean {
  if (event.type !== 'instruction') return false;
  return event.instruction.state === 'failed' && isLookForImage(event.instruction.text);
}

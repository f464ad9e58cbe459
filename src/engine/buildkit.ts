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
  if (await standsAlone(request, connection.store, connection.looks, signal)) {
    const built = await buildAlone(connection, request, onEvent, signal);
    if (built !== 'needs a session') return built.imageId;
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
): Promise<BuiltByBuildKit | 'needs a session'> {
  let fires = false as boolean;
  const progress = new Progress((event) => {
    fires ||= isTrigger(event);
    // Its instruction begins once more, under the same ID.
    if (!isFailedLook(event)) onEvent(event);
  });
  const post = { query: buildQuery(request), headers: {}, body: Readable.from([request.dockerfile]) };
  try {
    const built = await send(connection, request, () => post, { progress }, signal);
    return fires ? 'needs a session' : built;
  } catch (error) {
    // The base was removed, or is of another platform: registries are asked, which may want credentials.
    const needsSession = error instanceof StepError && (fires || progress.output.lacksImage);
    if (needsSession) return 'needs a session';
    throw error;
  }
}

/** The base has become another image since it was looked at, whose triggers copy from the context. 20.10 leaves ONBUILD out. */
function isTrigger(event: BuilderEvent): boolean {
  if (event.type !== 'instruction') return false;
  return /^\[[^\]]*\] (?:ONBUILD|(?:COPY|ADD)(?!.*--from=)) /i.test(event.instruction.text);
}

function isFailedLook(event: BuilderEvent): boolean {
  if (event.type !== 'instruction') return false;
  return event.instruction.state === 'failed' && isLookForImage(event.instruction.text);
}

/** A build by BuildKit: it fetches the context and credentials through a session of ours. Imports gRPC: load it lazily. */
import type { BuilderEvent, BuildRequest } from '../core/ports.js';
import { BuildKitOutput, type BuildKitMessage } from './buildkit-output.js';
import type { BuildConnection } from './classic.js';
import { fileSyncService } from './file-sync.js';
import { memoryFolder } from './memory-folder.js';
import { buildQuery, postBuild, unusableContext } from './post-build.js';
import { authService, openSession } from './session.js';

const DOCKERFILE = 'Dockerfile';

/** @throws StepError when the build fails, EngineError when the engine cannot be reached, the signal's reason when aborted */
export async function buildWithBuildKit(
  { transport, auth }: BuildConnection,
  request: BuildRequest,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  if (Object.values(request.limits).some((limit) => limit !== undefined)) {
    onEvent({
      type: 'warning',
      message:
        'BuildKit does not limit memory and CPU of RUN: the limits count only with the classic builder',
    });
  }
  let unreadable: Error | undefined;
  const folders = new Map([
    ['context', request.context],
    ['dockerfile', dockerfileFolder(request.dockerfile)],
  ]);
  const files = fileSyncService(folders, (error) => {
    unreadable ??= error;
  });
  const session = await openSession(transport, [files, authService(auth)], request.contextKey, signal);
  try {
    const output = new BuildKitOutput(onEvent);
    const query = {
      ...buildQuery(request),
      version: '2',
      remote: 'client-session',
      session: session.id,
      dockerfile: DOCKERFILE,
    };
    await postBuild(
      transport,
      { query, headers: {} },
      (message) => output.message(message as BuildKitMessage),
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    throw unreadable === undefined ? error : unusableContext(unreadable);
  } finally {
    session.close();
  }
}

/**
 * The context is filtered already. An ignore file of the Dockerfile's own keeps BuildKit from reading the context's
 * .dockerignore, which would drop artifacts too.
 */
function dockerfileFolder(dockerfile: Buffer): ReturnType<typeof memoryFolder> {
  return memoryFolder(
    new Map([
      [DOCKERFILE, dockerfile],
      [`${DOCKERFILE}.dockerignore`, Buffer.from('# The context is filtered before it is sent.\n')],
    ]),
  );
}

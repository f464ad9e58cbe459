/** A build by BuildKit: it fetches the context and credentials through a session of ours. */
import { isUtf8 } from 'node:buffer';
import { StepError } from '../core/errors.js';
import type { BuilderEvent, BuildRequest } from '../core/ports.js';
import { usesContext } from '../dockerfile/uses-context.js';
import type { BuildContext, ContextEntry } from '../tar/context.js';
import { packContext } from '../tar/pack.js';
import { AtWork } from './at-work.js';
import { BuildKitOutput, type BuildKitMessage } from './buildkit-output.js';
import type { BuildConnection } from './classic.js';
import { BuildKitStop } from './buildkit-stop.js';
import { brokenSession } from './explain.js';
import { fileSyncService } from './file-sync.js';
import { Folder } from './folder.js';
import type { Handlers } from './grpc-server.js';
import { memoryFolder } from './memory-folder.js';
import { buildQuery, postBuild, unusableContext, type BuildPost } from './post-build.js';
import { secretsService } from './secrets-service.js';
import { authService, openSession } from './session.js';

const DOCKERFILE = 'Dockerfile';
const TARRED_DOCKERFILE = '.habitus.Dockerfile';

export interface BuildKitConnection extends BuildConnection {
  /** Of the calling process. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * @returns the image ID that the builder announces, if it does
 * @throws StepError when the build fails, EngineError when the engine cannot be reached, the signal's reason when aborted
 */
export async function buildWithBuildKit(
  { transport, auth, remover, env }: BuildKitConnection,
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
  const context = new Folder(request.context);
  const odd = usesContext(request.dockerfile) ? await oddEntry(context, signal) : undefined;
  if (odd !== undefined) {
    onEvent({
      type: 'warning',
      message: `${odd} cannot pass BuildKit's file transfer: the context is sent as one tar, and COPY . copies ${TARRED_DOCKERFILE} too`,
    });
  }
  let unreadable: Error | undefined;
  const folders = new Map([
    ['context', context],
    ['dockerfile', dockerfileFolder(request.dockerfile)],
  ]);
  const onSent = (): void => {
    onEvent({ type: 'context-sent' });
  };
  const files = fileSyncService(folders, {
    onSent: (name) => {
      if (name === 'context') onSent();
    },
    onFailure: (error) => {
      unreadable ??= error;
    },
  });
  const atWork = new AtWork();
  const output = new BuildKitOutput((event) => {
    atWork.see(event);
    onEvent(event);
  });
  const services = [files, authService(auth), ...(await mountServices(request, env))];
  const session = await openSession(transport, services, request.contextKey, signal);
  using stop = new BuildKitStop(transport, signal);
  try {
    const post = odd === undefined ? fileSyncPost(request) : tarPost(request, stop.cut);
    const query = { ...post.query, version: '2', session: session.id, buildid: stop.buildId };
    await postBuild(
      transport,
      { ...post, query },
      { onMessage: (message) => output.message(message as BuildKitMessage), onSent, atWork },
      stop.cut,
    );
    signal.throwIfAborted();
    return output.imageId;
  } catch (error) {
    if (signal.aborted) {
      // It may have got its name before it heard of the end. Who disposes the session tells what is left.
      await remover.remove(request.tag, { noPrune: true }).catch(() => undefined);
      throw signal.reason;
    }
    if (unreadable !== undefined) throw unusableContext(unreadable);
    // What BuildKit then says is of its own plumbing.
    if (session.isBroken && error instanceof StepError && error.failure.exitCode === undefined)
      throw brokenSession(transport.address, error);
    throw error;
  } finally {
    session.close();
  }
}

/** What serves `RUN --mount=type=secret` and `type=ssh`: only what the request brings. */
async function mountServices(
  { secrets, ssh }: BuildRequest,
  env: BuildKitConnection['env'],
): Promise<readonly Handlers[]> {
  const services = secrets.size > 0 ? [secretsService(secrets)] : [];
  if (ssh.length === 0) return services;
  // Reading keys loads what takes a while, and few steps have any.
  const [{ sshService }, { sshSources }] = await Promise.all([
    import('./ssh-service.js'),
    import('./ssh-sources.js'),
  ]);
  return [...services, sshService(await sshSources(ssh, env))];
}

/**
 * A name that is not UTF-8 is refused by the gRPC of Docker 28; extended attributes are lost (tried on 20.10 and 28.5).
 * @returns the first such entry, described
 */
async function oddEntry(folder: Folder, signal: AbortSignal): Promise<string | undefined> {
  let entries: readonly ContextEntry[];
  try {
    entries = await folder.list(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof Error ? unusableContext(error) : error;
  }
  const odd = entries.find(
    ({ path, linkname = '', xattrs }) => !isText(path) || !isText(linkname) || (xattrs?.size ?? 0) > 0,
  );
  if (odd === undefined) return undefined;
  const shown = JSON.stringify(Buffer.from(odd.path, 'latin1').toString());
  return (odd.xattrs?.size ?? 0) > 0 ? `${shown} with its extended attributes` : `The name ${shown}`;
}

const ASCII = /^[\0-\x7f]*$/;

function isText(name: string): boolean {
  // Nearly every name is, and no bytes need to be made of it.
  return ASCII.test(name) || isUtf8(Buffer.from(name, 'latin1'));
}

function fileSyncPost(request: BuildRequest): BuildPost {
  return { query: { ...buildQuery(request), remote: 'client-session', dockerfile: DOCKERFILE }, headers: {} };
}

/** Here BuildKit takes the Dockerfile out of the context, and lets the build see it there. */
function tarPost(request: BuildRequest, signal: AbortSignal): BuildPost {
  const { context } = request;
  const own = memoryFolder(new Map([[TARRED_DOCKERFILE, request.dockerfile]]));
  const both: BuildContext = {
    async *entries(stop) {
      yield* context.entries(stop);
      yield* own.entries(stop);
    },
    open: (entry, stop) => (entry.path === TARRED_DOCKERFILE ? own : context).open(entry, stop),
  };
  const { body, dockerfile } = packContext(both, { type: 'existing', path: TARRED_DOCKERFILE }, signal);
  return { query: { ...buildQuery(request), dockerfile }, headers: {}, body };
}

/**
 * The context is filtered already. An ignore file of the Dockerfile's own keeps BuildKit from reading the context's
 * .dockerignore, which would drop artifacts too.
 */
function dockerfileFolder(dockerfile: Buffer): Folder {
  return new Folder(
    memoryFolder(
      new Map([
        [DOCKERFILE, dockerfile],
        [`${DOCKERFILE}.dockerignore`, Buffer.from('# The context is filtered before it is sent.\n')],
      ]),
    ),
  );
}

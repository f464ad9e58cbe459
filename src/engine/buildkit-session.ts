/** A build by BuildKit that fetches its context and credentials through a session of ours. */
import { isUtf8 } from 'node:buffer';
import { StepError } from '../core/errors.js';
import type { BuilderEvent, BuildRequest } from '../core/ports.js';
import { usesContext } from '../dockerfile/uses-context.js';
import type { BuildContext } from '../tar/context.js';
import type { EntryList } from '../tar/entry-list.js';
import { packContext } from '../tar/pack.js';
import type { BuildKitConnection } from './buildkit.js';
import { Progress, send, type BuiltByBuildKit } from './buildkit-send.js';
import { brokenSession } from './explain.js';
import { fileSyncService } from './file-sync.js';
import { Folder } from './folder.js';
import type { Handlers } from './grpc-server.js';
import { memoryFolder } from './memory-folder.js';
import { buildQuery, unusableContext, type BuildPost } from './post-build.js';
import { secretsService } from './secrets-service.js';
import { authService, openSession } from './session.js';

const DOCKERFILE = 'Dockerfile';
/** The engine may hang up before we have seen that the connection is of no use any more. */
const TRANSPORT = /closing transport due to: connection error|received prior goaway/;
const TARRED_DOCKERFILE = '.habitus.Dockerfile';

/** @throws as `buildWithBuildKit` */
export async function buildInSession(
  { auth, env, ...connection }: BuildKitConnection,
  request: BuildRequest,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<BuiltByBuildKit> {
  const { transport } = connection;
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
  const services = [files, authService(auth), ...(await mountServices(request, env))];
  const session = await openSession(transport, services, request.contextKey, signal);
  const post = (cut: AbortSignal): BuildPost => {
    const { query, ...rest } = odd === undefined ? fileSyncPost(request) : tarPost(request, cut);
    return { ...rest, query: { ...query, session: session.id } };
  };
  try {
    return await send(connection, request, post, { progress: new Progress(onEvent), onSent }, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (unreadable !== undefined) throw unusableContext(unreadable);
    // What BuildKit then says is of its own plumbing.
    const isPlumbing = error instanceof StepError && error.failure.exitCode === undefined;
    if (isPlumbing && (session.isBroken || TRANSPORT.test(error.message)))
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
  let entries: EntryList;
  try {
    entries = await folder.list(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof Error ? unusableContext(error) : error;
  }
  const shown = (path: string): string => JSON.stringify(Buffer.from(path, 'latin1').toString());
  for (const path of entries.paths) if (!isText(path)) return `The name ${shown(path)}`;
  for (const place of entries.special()) {
    const { path, linkname = '', xattrs } = entries.at(place);
    if (xattrs !== undefined && xattrs.size > 0) return `${shown(path)} with its extended attributes`;
    if (!isText(linkname)) return `The name ${shown(path)}`;
  }
  return undefined;
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

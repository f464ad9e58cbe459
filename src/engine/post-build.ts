/** One `POST /build`, for both builders: send, read the answer to its end, and tell every way to fail apart. */
import type { Readable } from 'node:stream';
import { EngineError, StepError, UsageError } from '../core/errors.js';
import type { BuildRequest } from '../core/ports.js';
import { ContextError } from '../tar/errors.js';
import { buildError } from './failure.js';
import { jsonLines } from './json-lines.js';
import type { Transport } from './transport.js';

export type BuildQuery = Readonly<Record<string, string | number | undefined>>;

export interface BuildPost {
  readonly query: BuildQuery;
  readonly headers: Readonly<Record<string, string>>;
  /** A tar of the context; absent: the body is empty. Destroyed in the end. */
  readonly body?: Readable;
}

/** What both builders are told alike. Source: https://docs.docker.com/reference/api/engine/version/v1.51/#tag/Image */
export function buildQuery(request: BuildRequest): BuildQuery {
  return {
    t: request.tag,
    target: request.target,
    buildargs: JSON.stringify(request.args),
    networkmode: request.network === 'default' ? undefined : request.network,
    nocache: request.noCache ? '1' : undefined,
    rm: request.removeContainers ? '1' : '0',
    // A failed RUN otherwise leaves its container, with all its data, behind.
    forcerm: '1',
  };
}

/**
 * @param onMessage gets each JSON line of the answer; gives back the failure that a line tells
 * @throws StepError, EngineError, UsageError when the context cannot be read, or the signal's reason
 */
export async function postBuild(
  transport: Transport,
  post: BuildPost,
  onMessage: (message: unknown) => StepError | undefined,
  signal: AbortSignal,
): Promise<void> {
  // Ends the request on every path: an answer can come before the tar is read, which would leave it half sent.
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const { body } = post;
  let unreadable: Error | undefined;
  body?.on('error', (error) => {
    if (!either.aborted) unreadable = error;
  });
  const call = { purpose: 'build', signal };
  try {
    const answer = await transport.stream({
      ...call,
      method: 'POST',
      path: '/build',
      query: post.query,
      headers: post.headers,
      signal: either,
      ...(body && { upload: body }),
    });
    let failure: StepError | undefined;
    for await (const message of jsonLines(answer)) failure = onMessage(message) ?? failure;
    if (failure) throw failure;
  } catch (error) {
    signal.throwIfAborted();
    if (unreadable !== undefined) throw unusableContext(unreadable);
    if (error instanceof EngineError && error.status !== undefined) throw refusedBuild(error);
    throw error instanceof StepError ? error : transport.failure(error, call);
  } finally {
    over.abort();
    body?.destroy();
  }
}

/** The context's own errors are the user's to mend. */
export function unusableContext(error: Error): Error {
  if (!(error instanceof ContextError)) return error;
  return new UsageError(error.message, {
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}

/** The engine refused to begin: mostly a Dockerfile that cannot be parsed. */
function refusedBuild(error: EngineError): StepError {
  return buildError(
    { reason: error.message.replace(/^The engine could not build: /, ''), output: [] },
    error,
  );
}

/** One `POST /build`, for both builders: send, read the answer to its end, and tell every way to fail apart. */
import type { Readable } from 'node:stream';
import { EngineError, StepError, UsageError } from '../core/errors.js';
import type { BuildRequest } from '../core/ports.js';
import { ContextError } from '../tar/errors.js';
import type { AtWork } from './at-work.js';
import { brokenBuild, nonsense } from './explain.js';
import { buildError } from './failure.js';
import { readJsonLines } from './json-lines.js';
import type { Transport } from './transport.js';

export type BuildQuery = Readonly<Record<string, string | number | undefined>>;

export interface BuildPost {
  readonly query: BuildQuery;
  readonly headers: Readonly<Record<string, string>>;
  /** A tar of the context; absent: the body is empty. Destroyed in the end. */
  readonly body?: Readable;
}

export interface BuildListener {
  /** Gets each JSON line of the answer; gives back the failure that a line tells. */
  readonly onMessage: (message: unknown) => StepError | undefined;
  /** Told when the whole body has been read. */
  readonly onSent: () => void;
  /** The instruction at work, for the error where the engine is lost. */
  readonly atWork: AtWork;
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
    // A failed RUN otherwise leaves its container, with all its data, behind. It overrides `rm`: without that, who sends the
    // build removes what a failed one leaves.
    forcerm: request.removeContainers ? '1' : '0',
  };
}

/** @throws StepError, EngineError, UsageError when the context cannot be read, or the signal's reason */
export async function postBuild(
  transport: Transport,
  post: BuildPost,
  { onMessage, onSent, atWork }: BuildListener,
  signal: AbortSignal,
): Promise<void> {
  // Ends the request on every path: an answer can come before the tar is read, which would leave it half sent.
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const { body } = post;
  let unreadable: Error | undefined;
  body?.once('end', onSent).on('error', (error) => {
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
    const told: { failure?: StepError | undefined; isWhole: boolean } = { isWhole: false };
    await readJsonLines(answer, (message) => {
      told.failure = onMessage(message) ?? told.failure;
      told.isWhole ||= isLastWord(message);
    });
    if (told.failure) throw told.failure;
    if (!told.isWhole) throw nonsense(call.purpose, 'its answer ended before the build did');
  } catch (error) {
    signal.throwIfAborted();
    if (unreadable !== undefined) throw unusableContext(unreadable);
    if (error instanceof EngineError && isUsersFault(error)) throw refusedBuild(error);
    throw error instanceof StepError ? error : whileAtWork(transport.failure(error, call), atWork);
  } finally {
    over.abort();
    body?.destroy();
  }
}

/** What is cut off by something between the engine and us may look like a whole answer. */
function isLastWord(message: unknown): boolean {
  const { id, stream } = message as { readonly id?: unknown; readonly stream?: unknown };
  if (id === 'moby.image.id') return true;
  return typeof stream === 'string' && /^Successfully (?:built|tagged) /.test(stream);
}

function whileAtWork(error: unknown, { instruction }: AtWork): unknown {
  if (!(error instanceof EngineError) || instruction === undefined) return error;
  return brokenBuild(error, instruction);
}

/** The context's own errors are the user's to mend. */
export function unusableContext(error: Error): Error {
  if (!(error instanceof ContextError)) return error;
  return new UsageError(error.message, {
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}

/** Of what is wrong with a Dockerfile 20.10 says a part with status 500. */
function isUsersFault({ status, message }: EngineError): boolean {
  if (status === undefined) return false;
  return status < 500 || /dockerfile|build target|build stage|instruction/i.test(message);
}

/** The engine refused to begin: mostly a Dockerfile that cannot be parsed. */
function refusedBuild(error: EngineError): StepError {
  return buildError(
    { reason: error.message.replace(/^The engine could not build: /, ''), output: [] },
    error,
  );
}

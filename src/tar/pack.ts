/** Packs a build context as the tar body that the classic builder takes, with a Dockerfile that does not stay in it. */
import { Readable } from 'node:stream';
import type { BuildContext, ContextEntry } from './context.js';
import { ContextError } from './errors.js';
import { encodeHeader, END_MARK } from './header.js';
import { DOCKERIGNORE } from './overlay.js';
import { shown, toLatin1 } from './paths.js';
import { padded } from './raw.js';

/** Constant: it is part of what the engine's cache compares. */
export const GENERATED_DOCKERFILE = '.habitus.Dockerfile';

/** Content to send, or the name of a file of the context to use unchanged. */
export type DockerfileSource =
  | { readonly type: 'generated'; readonly content: Buffer }
  | { readonly type: 'existing'; readonly path: string };

export interface PackedContext {
  readonly body: Readable;
  /** For the `dockerfile` parameter of the build. */
  readonly dockerfile: string;
}

/** Files up to this size are read ahead, this many at once. */
const SMALL = 1 << 16;
const AHEAD = 64;
/** What leaves in one piece. */
const CHUNK = 1 << 20;

/**
 * A generated Dockerfile is sent under a name of its own, and must not be seen by `COPY . /`. After unpacking, the engine
 * reads the context's `.dockerignore` and removes that file and the Dockerfile if a pattern matches them
 * (removeDockerfile in moby/builder/remotecontext). So a context without `.dockerignore` gets one that lists both; one
 * that has it gets a line more, and that line is all that a build can see of it.
 *
 * With `existing` nothing is added. Use it only for a file that `.dockerignore` does not leave out.
 * The body fails with a ContextError when a file changes meanwhile, and with the signal's reason on abort.
 */
export function packContext(
  context: BuildContext,
  dockerfile: DockerfileSource,
  signal: AbortSignal,
): PackedContext {
  const stop = new AbortController();
  const body = toStream(coalesce(packed(context, dockerfile, stop.signal)), stop);
  const abort = () => {
    // Whoever aborts knows; a body that nobody reads yet must not end the process.
    body.on('error', () => undefined).destroy(signal.reason as Error);
  };
  body.once('close', () => {
    signal.removeEventListener('abort', abort);
  });
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return { body, dockerfile: dockerfile.type === 'generated' ? GENERATED_DOCKERFILE : dockerfile.path };
}

/** Unlike Readable.from, it tells the source to stop before it waits for its end: a source may be stuck in a read. */
function toStream(source: AsyncGenerator<Buffer>, stop: AbortController): Readable {
  return new Readable({
    highWaterMark: CHUNK,
    read() {
      source.next().then(
        ({ done, value }) => this.push(done === true ? null : value),
        (error: unknown) => this.destroy(error as Error),
      );
    },
    destroy(error, callback) {
      stop.abort(error ?? undefined);
      const settled = () => {
        callback(error);
      };
      source.return(undefined).then(settled, settled);
    },
  });
}

/** A header, and its body: read already, or to be read when its turn comes. */
interface Member {
  readonly header: Buffer;
  readonly body?: Promise<Buffer> | (() => Readable);
  readonly size: number;
}

async function* packed(
  context: BuildContext,
  dockerfile: DockerfileSource,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const ahead: Member[] = [];
  for await (const member of members(context, dockerfile, signal)) {
    ahead.push(member);
    const first = ahead.length > AHEAD ? ahead.shift() : undefined;
    if (first) yield* write(first);
  }
  for (const member of ahead) yield* write(member);
  yield END_MARK;
}

async function* write({ header, body, size }: Member): AsyncGenerator<Buffer> {
  yield header;
  if (typeof body === 'function') for await (const chunk of body()) yield chunk as Buffer;
  else if (body) yield await body;
  if (padded(size) > size) yield END_MARK.subarray(0, padded(size) - size);
}

async function* members(
  context: BuildContext,
  dockerfile: DockerfileSource,
  signal: AbortSignal,
): AsyncGenerator<Member> {
  const existing = dockerfile.type === 'existing' ? toLatin1(dockerfile.path) : undefined;
  let ignoreSeen = false;
  let dockerfileSeen = false;
  for await (const entry of context.entries(signal)) {
    if (existing !== undefined) dockerfileSeen ||= entry.path === existing;
    else if (entry.path === GENERATED_DOCKERFILE) throw taken();
    else if (entry.path === DOCKERIGNORE) {
      // A symlink is dropped: a line cannot be added to it.
      if (entry.type === 'symlink') continue;
      ignoreSeen = true;
      yield inMemory(entry, await extendedIgnore(context, entry, signal));
      continue;
    }
    yield member(context, entry, signal);
  }
  if (dockerfile.type === 'generated') {
    if (!ignoreSeen)
      yield inMemory(ownFile(DOCKERIGNORE), Buffer.from(`${DOCKERIGNORE}\n${GENERATED_DOCKERFILE}\n`));
    yield inMemory(ownFile(GENERATED_DOCKERFILE), dockerfile.content);
  } else if (!dockerfileSeen) {
    throw new ContextError(`The Dockerfile ${shown(toLatin1(dockerfile.path))} is not in the context`, {
      hint: 'Check that it exists and that .dockerignore does not leave it out.',
    });
  }
}

function member(context: BuildContext, entry: ContextEntry, signal: AbortSignal): Member {
  const header = encodeHeader(entry);
  const { size } = entry;
  if (entry.type !== 'file' || size === 0) return { header, size: 0 };
  if (size > SMALL) return { header, size, body: () => context.open(entry, signal) };
  const body = collect(context.open(entry, signal));
  // It is awaited when its turn comes, or never after another failure.
  body.catch(() => undefined);
  return { header, size, body };
}

function inMemory(entry: ContextEntry, content: Buffer): Member {
  const header = encodeHeader({ ...entry, size: content.length });
  return { header, size: content.length, body: Promise.resolve(content) };
}

/** As `buffer` of node:stream/consumers, which takes twice the time by way of a Blob. */
async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return chunks[0] !== undefined && chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

function ownFile(path: string): ContextEntry {
  return { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
}

/** It passed the filter, so it stays: a pattern of its own must not remove it either. */
async function extendedIgnore(
  context: BuildContext,
  entry: ContextEntry,
  signal: AbortSignal,
): Promise<Buffer> {
  if (entry.type !== 'file') {
    throw new ContextError(`${shown(entry.path)} of the context is not a file`, {
      hint: 'Rename or remove it.',
    });
  }
  const content = await collect(context.open(entry, signal));
  return Buffer.concat([content, Buffer.from(`\n!${DOCKERIGNORE}\n${GENERATED_DOCKERFILE}\n`)]);
}

function taken(): ContextError {
  return new ContextError(
    `The context holds a file ${GENERATED_DOCKERFILE}, a name that Habitus needs for itself`,
    {
      hint: 'Rename it, or leave it out with a line in .dockerignore.',
    },
  );
}

/** Small pieces are copied together, large ones pass as they are. */
async function* coalesce(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let chunk = Buffer.allocUnsafe(CHUNK);
  let used = 0;
  for await (const piece of pieces) {
    if (used > 0 && (piece.length >= CHUNK / 2 || used + piece.length > CHUNK)) {
      yield chunk.subarray(0, used);
      chunk = Buffer.allocUnsafe(CHUNK);
      used = 0;
    }
    if (piece.length >= CHUNK / 2) yield piece;
    else used += piece.copy(chunk, used);
  }
  if (used > 0) yield chunk.subarray(0, used);
}

/**
 * Answers gRPC calls on one connection. Smaller than a gRPC library, and faster where it counts: what is sent is framed in the
 * memory that it was read into, and not copied.
 */
import { performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { Call } from './grpc-call.js';
import { GrpcError, NonsenseError, STATUS } from './grpc-status.js';

/** Ends the call by returning, or with the status of a GrpcError that it throws. */
export type Handler = (call: Call) => Promise<void>;

/** By path, `/package.Service/Method`. */
export type Handlers = ReadonlyMap<string, Handler>;

export interface GrpcServer {
  /** Ends all calls at once. */
  close(): void;
}

/** Node.js refuses new calls while the others hold more (MB): a health check must pass whatever is being sent. */
const MEMORY = 256;

/**
 * @param socket connected to the client, which speaks HTTP/2 at once; it is closed with the server
 * @param onNonsense told when what comes over it is no gRPC, before the client is
 */
export function serveGrpc(
  socket: Duplex,
  handlers: Handlers,
  onNonsense: () => void = () => undefined,
): GrpcServer {
  const session = performServerHandshake(socket, { maxSessionMemory: MEMORY });
  // Calls hear of it.
  session.on('error', () => undefined);
  const onStream = (
    stream: ServerHttp2Stream,
    { ':path': path = '' }: IncomingHttpHeaders,
    _flags: number,
    headers: readonly string[],
  ): void => {
    void answer(new Call(stream, headers), handlers.get(path) ?? unknown, onNonsense);
  };
  session.on('stream', onStream);
  return {
    close() {
      session.destroy();
      socket.destroy();
    },
  };
}

/** A call of one message, answered with one. */
export function unary(reply: (request: Buffer) => Buffer | Promise<Buffer>): Handler {
  return async (call) => {
    let request: Buffer | undefined;
    for await (const message of call.messages()) request ??= message;
    if (request === undefined) throw new GrpcError(STATUS.internal, 'the call has no message');
    await call.send(await reply(request));
  };
}

async function answer(call: Call, handler: Handler, onNonsense: () => void): Promise<void> {
  try {
    await handler(call);
    call.end(STATUS.ok);
  } catch (error) {
    if (error instanceof NonsenseError) onNonsense();
    if (error instanceof GrpcError) call.end(error.status, error.message);
    else call.end(STATUS.unknown, error instanceof Error ? error.message : String(error));
  }
}

function unknown(call: Call): Promise<void> {
  const [path = ''] = call.header(':path');
  return Promise.reject(new GrpcError(STATUS.unimplemented, `${path} is not offered here`));
}

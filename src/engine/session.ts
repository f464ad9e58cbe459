/** A BuildKit session: a connection on which the engine is the caller and we answer, by gRPC. */
import { createHash, randomBytes } from 'node:crypto';
import type { RegistryAuth } from './auth.js';
import { serveGrpc, unary, type Handlers } from './grpc-server.js';
import { GrpcError, STATUS } from './grpc-status.js';
import type { Transport } from './transport.js';
import { CALLS, decodeText, EMPTY, encodeCredentials, SERVING } from './wire.js';

export interface Session {
  readonly id: string;
  /** Whether its connection has ended before it was closed, or was of no use. */
  readonly isBroken: boolean;
  /** Ends it at once, in the middle of a transfer if need be. */
  close(): void;
}

/**
 * Open a session that offers the services, and the health check without which engines end it after seconds.
 * @param sharedKey sessions with the same key share what they sent before
 */
export async function openSession(
  transport: Transport,
  services: readonly Handlers[],
  sharedKey: string,
  signal: AbortSignal,
): Promise<Session> {
  const id = randomBytes(16).toString('hex');
  const offered = new Map([[CALLS.health, unary(() => SERVING)], ...services.flatMap((each) => [...each])]);
  const socket = await transport.hijack({
    method: 'POST',
    path: '/session',
    headers: {
      Upgrade: 'h2c',
      'X-Docker-Expose-Session-Uuid': id,
      'X-Docker-Expose-Session-Name': 'habitus',
      'X-Docker-Expose-Session-Sharedkey': createHash('sha256').update(sharedKey).digest('hex'),
      'X-Docker-Expose-Session-Grpc-Method': [...offered.keys()],
    },
    signal,
    purpose: 'open a build session',
  });
  // A broken session shows as the failure of the build that uses it.
  socket.on('error', () => undefined);
  let state: 'open' | 'broken' | 'closed' = 'open';
  const breaks = (): void => {
    if (state === 'open') state = 'broken';
  };
  const server = serveGrpc(socket, offered, breaks);
  socket.once('close', breaks);
  return {
    id,
    get isBroken() {
      return state === 'broken';
    },
    close() {
      state = 'closed';
      server.close();
    },
  };
}

/** Registry credentials, asked for when a registry wants them. */
export function authService(auth: RegistryAuth): Handlers {
  return new Map([
    [
      CALLS.credentials,
      unary(async (request) => {
        const found = await auth.forHost(decodeText(request)).catch(() => {
          throw new GrpcError(STATUS.unavailable, 'The Docker configuration cannot be read');
        });
        return found ? encodeCredentials(found.username, found.secret) : EMPTY;
      }),
    ],
    // The engine then asks for the credentials, and fetches tokens itself.
    [CALLS.tokenAuthority, () => Promise.reject(new GrpcError(STATUS.unavailable, 'not offered'))],
  ]);
}

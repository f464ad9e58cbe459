/** A BuildKit session: a connection on which the engine is the caller and we answer, by gRPC. */
import { createHash, randomBytes } from 'node:crypto';
import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { RegistryAuth } from './auth.js';
import type { Transport } from './transport.js';
import { Auth, Health } from './wire.js';

export interface SessionService {
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
}

export interface Session {
  readonly id: string;
  /** Whether its connection has ended before it was closed. */
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
  services: readonly SessionService[],
  sharedKey: string,
  signal: AbortSignal,
): Promise<Session> {
  const id = randomBytes(16).toString('hex');
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  const offered = [{ definition: Health, handlers: { Check: checkHealth } }, ...services];
  for (const { definition, handlers } of offered) server.addService(definition, handlers);
  const socket = await transport.hijack({
    method: 'POST',
    path: '/session',
    headers: {
      Upgrade: 'h2c',
      'X-Docker-Expose-Session-Uuid': id,
      'X-Docker-Expose-Session-Name': 'habitus',
      'X-Docker-Expose-Session-Sharedkey': createHash('sha256').update(sharedKey).digest('hex'),
      'X-Docker-Expose-Session-Grpc-Method': offered.flatMap(({ definition }) =>
        Object.values(definition as Record<string, { path: string }>).map(({ path }) => path),
      ),
    },
    signal,
    purpose: 'open a build session',
  });
  // A broken session shows as the failure of the build that uses it.
  socket.on('error', () => undefined);
  server.createConnectionInjector(ServerCredentials.createInsecure()).injectConnection(socket);
  let state: 'open' | 'broken' | 'closed' = 'open';
  socket.once('close', () => {
    if (state === 'open') state = 'broken';
  });
  return {
    id,
    get isBroken() {
      return state === 'broken';
    },
    close() {
      state = 'closed';
      server.forceShutdown();
      socket.destroy();
    },
  };
}

/** Registry credentials, asked for when a registry wants them. */
export function authService(auth: RegistryAuth): SessionService {
  return {
    definition: Auth,
    handlers: {
      Credentials(
        call: ServerUnaryCall<{ Host: string }, object>,
        done: sendUnaryData<{ Username?: string; Secret?: string }>,
      ) {
        auth.forHost(call.request.Host).then(
          (found) => {
            done(null, found ? { Username: found.username, Secret: found.secret } : {});
          },
          () => {
            done({ code: status.UNAVAILABLE, details: 'The Docker configuration cannot be read' });
          },
        );
      },
      // The engine then asks for the credentials, and fetches tokens itself.
      GetTokenAuthority(_call: object, done: sendUnaryData<object>) {
        done({ code: status.UNAVAILABLE, details: 'not offered' });
      },
    },
  };
}

function checkHealth(_call: object, done: sendUnaryData<{ status: number }>): void {
  const serving = 1;
  done(null, { status: serving });
}

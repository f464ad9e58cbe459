/** Of dockerode the part that is used: as a whole it loads gRPC, which is more than all of this program. */
import { createRequire } from 'node:module';
import type Docker from 'dockerode';

/** Of one request, in what `dial` is given for it. */
export interface ConnectionUse {
  /** Present: it may go over a connection that an earlier one has left, and is told when it does. */
  readonly onReuse?: () => void;
}

/** Its answers are messages or sockets. */
export interface Modem {
  version?: string;
  dial(options: ConnectionUse, done: (error: Error | null, answer: unknown) => void): void;
  /** By which it sends: `request` as `node:http` takes it, `options` as `dial` was given them. */
  buildRequest(request: object, options: ConnectionUse, ...rest: readonly unknown[]): void;
}

/** @returns docker-modem's class; it is part of the program's bundle (bin/bundle.js) */
export function loadModem(): new (options: Docker.DockerOptions) => Modem {
  const dockerode = createRequire(import.meta.url).resolve('dockerode');
  return createRequire(dockerode)('docker-modem') as ReturnType<typeof loadModem>;
}

/** Of dockerode the part that is used: as a whole it loads gRPC, which is more than all of this program. */
import { createRequire } from 'node:module';
import type Docker from 'dockerode';

/** Its answers are messages or sockets. */
export interface Modem {
  version?: string;
  dial(options: object, done: (error: Error | null, answer: unknown) => void): void;
  /** By which it sends; `options` as `node:http` takes them. */
  buildRequest(options: object, ...rest: readonly unknown[]): void;
}

/** @returns docker-modem's class; it is part of the program's bundle (bin/bundle.js) */
export function loadModem(): new (options: Docker.DockerOptions) => Modem {
  const dockerode = createRequire(import.meta.url).resolve('dockerode');
  return createRequire(dockerode)('docker-modem') as ReturnType<typeof loadModem>;
}

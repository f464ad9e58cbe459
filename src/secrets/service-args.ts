/** The build args by which RUN finds the secrets service, as Dockerfiles of the original take them. */
import { isIPv6 } from 'node:net';
import type { PlannedStep } from '../core/plan.js';
import { declaredArgs } from '../dockerfile/args.js';
import type { Credentials } from './credentials.js';

const SERVICE_ARGS = ['host', 'habitus_host', 'habitus_port', 'habitus_user', 'habitus_password'] as const;
export type ServiceArg = (typeof SERVICE_ARGS)[number];

/** Where the original's service was unless told otherwise; its users' jobs pass it as `--build host=`. */
const ORIGINAL_ADDRESS = '192.168.99.1';

/** Published Dockerfiles that do not take the port by an ARG have this one written in them. */
const ORIGINAL_PORT = 8080;

/** Which of the service's ARGs a Dockerfile declares. */
export function declaredServiceArgs({
  dockerfile,
}: Pick<PlannedStep, 'dockerfile'>): ReadonlySet<ServiceArg> {
  const declared = new Set(declaredArgs(dockerfile.content));
  return new Set(SERVICE_ARGS.filter((name) => declared.has(name)));
}

/** The port that a step's RUN will ask at. @returns 0: any free one, since the Dockerfile takes it by an ARG */
export function portFor(
  { args }: Pick<PlannedStep, 'args'>,
  declared: ReadonlySet<ServiceArg>,
  fixed: number | undefined,
): number {
  if (fixed !== undefined) return fixed;
  if (!declared.has('habitus_port')) return ORIGINAL_PORT;
  const given = Number(args['habitus_port'] ?? 0);
  return Number.isInteger(given) && given > 0 && given <= 65535 ? given : 0;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** How RUN learns the credentials where the Dockerfile has no ARGs for both user and password. */
export type Handing =
  /** Before the address: `USER:PASSWORD@ADDRESS`, which wget and curl take for Basic authentication. */
  | 'in-address'
  /** They stand in the Dockerfile. */
  | 'known';

/**
 * Build args to go over those of the step; only what its Dockerfile declares. A `host` that the user gave for something
 * else than this service is left alone.
 */
export function serviceArgs(
  { args }: Pick<PlannedStep, 'args'>,
  declared: ReadonlySet<ServiceArg>,
  { address, port }: Place,
  { user, password }: Credentials,
  handing: Handing,
): Readonly<Record<string, string>> {
  const apart = declared.has('habitus_user') && declared.has('habitus_password');
  const prefix =
    apart || handing === 'known' ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
  const hostFor = (name: 'host' | 'habitus_host'): string | undefined => {
    const given = args[name] ?? address;
    if (given !== address && given !== ORIGINAL_ADDRESS) return undefined;
    return prefix + (isIPv6(given) ? `[${given}]` : given);
  };
  const values: Readonly<Record<ServiceArg, string | undefined>> = {
    host: hostFor('host'),
    habitus_host: hostFor('habitus_host'),
    habitus_port: String(port),
    habitus_user: user,
    habitus_password: password,
  };
  return Object.fromEntries(
    [...declared].flatMap((name) => {
      const value = values[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

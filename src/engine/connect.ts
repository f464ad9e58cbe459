/** From options to a connected engine: find it, agree on an API version, learn what it can do. */
import type { IncomingMessage } from 'node:http';
import type { Builder, Engine, EngineInfo } from '../core/ports.js';
import { EngineError } from '../core/errors.js';
import { resolveAddress, type ConnectOptions, type EngineAddress } from './address.js';
import { DockerEngine } from './docker-engine.js';
import { nonsense, silent, unreachable } from './explain.js';
import { Transport } from './transport.js';

export type { ConnectOptions } from './address.js';

/** The newest API version this program was run against, and the oldest it can speak (Docker 18.09). */
const NEWEST_API = '1.51';
const OLDEST_API = '1.39';
const TIME_LIMIT_MS = 10_000;

/**
 * @throws EngineError when no usable engine answers within ten seconds: it names the address, why, and what to do
 * @throws the signal's reason when aborted
 */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<Engine> {
  const address = await resolveAddress(options);
  const { patience, onNotice } = options;
  const transport = new Transport(address, { patience, onNotice });
  const limit = AbortSignal.timeout(TIME_LIMIT_MS);
  try {
    const { info, images } = await introduce(transport, address, AbortSignal.any([signal, limit]));
    return new DockerEngine(transport, info, images, options);
  } catch (error) {
    transport.close();
    if (!signal.aborted && limit.aborted) throw silent(address, TIME_LIMIT_MS);
    throw error;
  }
}

async function introduce(
  transport: Transport,
  address: EngineAddress,
  signal: AbortSignal,
): Promise<{ info: EngineInfo; images: number }> {
  const answer = firstAnswer(transport, address, signal);
  // At the same time: of this every version tells the same.
  const description = transport.json({
    method: 'GET',
    path: '/info',
    after: answer,
    signal,
    purpose: 'describe itself',
  });
  description.catch(() => undefined);
  const ping = await answer;
  ping.resume();
  const offered = header(ping.headers['api-version']) ?? OLDEST_API;
  const apiVersion = olderOf(offered, NEWEST_API);
  if (olderOf(apiVersion, OLDEST_API) !== OLDEST_API) {
    throw new EngineError(
      `The Docker Engine at ${address.url} speaks API ${offered}, but ${OLDEST_API} is needed`,
      {
        hint: 'Update it to Docker 18.09 or newer.',
      },
    );
  }
  transport.speak(apiVersion);
  const preferred = header(ping.headers['builder-version']);
  const [system, sessions] = await Promise.all([
    description,
    preferred === PREFERS_BUILDKIT || answersSessions(transport, signal),
  ]);
  const {
    ID: id,
    ServerVersion: release,
    DriverStatus: driver,
    OSType: os,
    Images: images,
  } = (system ?? {}) as {
    ID?: string;
    ServerVersion?: unknown;
    DriverStatus?: [string, string][] | null;
    OSType?: string;
    Images?: unknown;
  };
  if (typeof release !== 'string') {
    throw nonsense('describe itself', 'its answer is not that of a Docker Engine');
  }
  const info: EngineInfo = {
    id: id ?? address.url,
    name: `Docker ${release} at ${address.url}`,
    version: release,
    apiVersion,
    store: driver?.some(([, value]) => value === 'io.containerd.snapshotter.v1')
      ? 'containerd'
      : 'graphdriver',
    builders: sessions ? buildersOf(preferred, os) : ['classic'],
    local: address.kind === 'socket' && address.url.startsWith('unix:'),
  };
  return { info, images: typeof images === 'number' ? images : 0 };
}

async function firstAnswer(
  transport: Transport,
  address: EngineAddress,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  try {
    const purpose = 'answer a ping';
    return await transport.stream({ method: 'GET', path: '/_ping', pace: 'once', signal, purpose });
  } catch (error) {
    const answered = !(error instanceof EngineError) || error.status !== undefined;
    throw answered ? error : unreachable(address, error.cause);
  }
}

/** The header `Builder-Version` of an engine whose first choice it is: it need not be asked whether it has it. */
const PREFERS_BUILDKIT = '2';

/**
 * Docker 20.10 has BuildKit but does not say so in `Builder-Version`.
 * @param preferred value of the header: `1` classic, `2` BuildKit
 */
export function buildersOf(preferred: string | undefined, os: string | undefined): readonly Builder[] {
  if (os !== undefined && os !== 'linux') return ['classic'];
  return preferred === '1' ? ['classic', 'buildkit'] : ['buildkit', 'classic'];
}

/**
 * BuildKit needs `POST /session`; engines of other makers may not have it. Asked without an upgrade it is refused as a bad
 * request, and no session is left open.
 */
async function answersSessions(transport: Transport, signal: AbortSignal): Promise<boolean> {
  try {
    const purpose = 'open a session';
    await transport.json({ method: 'POST', path: '/session', pace: 'quick', signal, purpose });
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.status !== undefined) return error.status === 400;
    throw error;
  }
}

/** The older of two `major.minor` versions. */
export function olderOf(a: string, b: string): string {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA < majorB || (majorA === majorB && minorA < minorB) ? a : b;
}

function header(value: string | string[] | undefined): string | undefined {
  const first = Array.isArray(value) ? value[0] : value;
  return first === '' ? undefined : first;
}

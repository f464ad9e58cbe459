/** Looks for an engine that is the user's own, in the order of Docker's command line. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from './error.js';
import { answers, endpointOf, type Endpoint } from './http.js';
import { missingImages, nameOf, pull } from './images.js';
import type { Say } from './say.js';

export interface Candidate {
  /** In words, for the user: "DOCKER_HOST", "the Docker context "x"", "the default socket". */
  readonly from: string;
  readonly host: string;
}

export interface FoundEngine extends Candidate {
  readonly endpoint: Endpoint;
}

/** What was tried, and why it did not do. */
export interface Rejected extends Candidate {
  readonly why: string;
}

export type Search =
  | { readonly kind: 'found'; readonly engine: FoundEngine }
  | { readonly kind: 'none'; readonly tried: readonly Rejected[] };

const DEFAULT_SOCKET = 'unix:///var/run/docker.sock';

/** DOCKER_HOST wins over DOCKER_CONTEXT, and that over the context chosen by `docker context use`. */
export async function candidates(env: NodeJS.ProcessEnv): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  const host = env['DOCKER_HOST'] ?? '';
  if (host !== '') found.push({ from: 'DOCKER_HOST', host });
  const config = env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker');
  const context = env['DOCKER_CONTEXT'] ?? text(await json(join(config, 'config.json')), 'currentContext');
  if (context !== undefined && context !== '' && context !== 'default') {
    const id = createHash('sha256').update(context).digest('hex');
    const endpoints = member(await json(join(config, 'contexts/meta', id, 'meta.json')), 'Endpoints');
    const address = text(member(endpoints, 'docker'), 'Host');
    if (address !== undefined) found.push({ from: `the Docker context "${context}"`, host: address });
  }
  found.push({ from: 'the default socket', host: DEFAULT_SOCKET });
  return found;
}

/** The first candidate that answers and has, or can pull, the base images. */
export async function findEngine(env: NodeJS.ProcessEnv, say: Say): Promise<Search> {
  const tried: Rejected[] = [];
  for (const candidate of await candidates(env)) {
    const verdict = await examine(candidate, env, say);
    if (typeof verdict !== 'string') return { kind: 'found', engine: { ...candidate, endpoint: verdict } };
    tried.push({ ...candidate, why: verdict });
  }
  return { kind: 'none', tried };
}

async function examine(candidate: Candidate, env: NodeJS.ProcessEnv, say: Say): Promise<Endpoint | string> {
  const endpoint = endpointOf(candidate.host);
  const tls = endpoint?.kind === 'tcp' && (env['DOCKER_TLS_VERIFY'] ?? '') !== '';
  if (endpoint === undefined || tls) return 'npm start does not speak TLS or ssh, though habitus itself does';
  if (!(await answers(endpoint))) return 'does not answer';
  try {
    for (const image of await missingImages(endpoint)) {
      // An engine that is not the lab's gets no image made by the lab under a published name.
      if (!(await pull(endpoint, image, say))) return `has no ${nameOf(image)} and reaches no registry`;
    }
  } catch (error) {
    return messageOf(error);
  }
  return endpoint;
}

async function json(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}

const member = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;

function text(value: unknown, key: string): string | undefined {
  const found = member(value, key);
  return typeof found === 'string' ? found : undefined;
}

/** Where `RUN --mount=type=ssh` finds its keys: the sockets of agents and private key files, looked at before the build. */
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { Duplex } from 'node:stream';
import { UsageError } from '../core/errors.js';
import type { SshSpec } from '../core/plan.js';
import { serveAgent, type AgentKey } from './key-agent.js';
import { parseKeys } from './ssh-keys.js';

export type SshSource =
  | { readonly kind: 'agent'; readonly socket: string }
  | { readonly kind: 'keys'; readonly keys: readonly AgentKey[] };

type Environment = Readonly<Record<string, string | undefined>>;

/** Far above any key; what is larger is something else, and not read. */
const LARGEST_KEY_FILE = 1 << 20;

/** Keys are read once for each plan, and forgotten with it. */
const found = new WeakMap<SshSpec, Promise<SshSource>>();

/**
 * See to it, before anything is built, that every agent answers and every key can be used.
 * @throws UsageError that names the id, and says what to do
 */
export async function checkSsh(specs: readonly SshSpec[], env: Environment): Promise<void> {
  await sshSources(specs, env);
}

/** By id. @throws UsageError */
export async function sshSources(
  specs: readonly SshSpec[],
  env: Environment,
): Promise<ReadonlyMap<string, SshSource>> {
  const entries = specs.map(async (spec): Promise<readonly [string, SshSource]> => {
    let source = found.get(spec);
    if (source === undefined) {
      source = findSource(spec, env);
      found.set(spec, source);
    }
    return [spec.id, await source];
  });
  return new Map(await Promise.all(entries));
}

/** A new connection to an agent; the caller destroys it. */
export function openAgent(source: SshSource): Duplex {
  switch (source.kind) {
    case 'agent':
      return createConnection(source.socket);
    case 'keys':
      return Duplex.from((requests: AsyncIterable<Buffer>) => serveAgent(requests, source.keys));
  }
}

async function findSource({ id, sources }: SshSpec, env: Environment): Promise<SshSource> {
  const [first] = sources;
  if (first === undefined) {
    const socket = env['SSH_AUTH_SOCK'];
    if (socket !== undefined && socket !== '') return agentAt(socket, id, 'SSH_AUTH_SOCK');
    throw new UsageError(`ssh "${id}" needs an ssh agent, but SSH_AUTH_SOCK is not set`, {
      hint: 'Start one (`eval "$(ssh-agent)"`, then `ssh-add`), or name a private key file for this id.',
    });
  }
  const kinds = await Promise.all(sources.map(async (path) => ({ path, kind: await kindOf(path, id) })));
  const sockets = kinds.filter(({ kind }) => kind === 'socket');
  if (sockets.length === 0) {
    const keys = await Promise.all(sources.map((path) => readKeys(path, id)));
    return { kind: 'keys', keys: keys.flat() };
  }
  if (sources.length === 1) return agentAt(first, id, 'its socket');
  throw new UsageError(`ssh "${id}" can use one agent or private keys, but names ${sources.join(' and ')}`, {
    hint: 'Give each agent an id of its own.',
  });
}

async function kindOf(path: string, id: string): Promise<'socket' | 'file'> {
  let about;
  try {
    about = await stat(path);
  } catch (cause) {
    throw unreadable(path, id, cause);
  }
  if (about.isSocket()) return 'socket';
  if (about.isFile() && about.size <= LARGEST_KEY_FILE) return 'file';
  throw new UsageError(`${path} of ssh "${id}" is neither an agent's socket nor a private key`, {
    hint: 'Name a private key file, e.g. ~/.ssh/id_ed25519, or the socket of an ssh agent.',
  });
}

async function agentAt(socket: string, id: string, from: string): Promise<SshSource> {
  const connection = createConnection(socket);
  try {
    await once(connection, 'connect');
  } catch (cause) {
    throw new UsageError(`The ssh agent of ssh "${id}" does not answer at ${socket} (${from})`, {
      cause,
      hint: 'Start an agent (`eval "$(ssh-agent)"`, then `ssh-add`), or name a private key file for this id.',
    });
  } finally {
    connection.destroy();
  }
  return { kind: 'agent', socket };
}

async function readKeys(path: string, id: string): Promise<readonly AgentKey[]> {
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (cause) {
    throw unreadable(path, id, cause);
  }
  return parseKeys(content, { path, id });
}

function unreadable(path: string, id: string, cause: unknown): UsageError {
  const { code } = cause as NodeJS.ErrnoException;
  const absent = code === 'ENOENT' || code === 'ENOTDIR';
  return new UsageError(`${path} of ssh "${id}" ${absent ? 'does not exist' : 'cannot be read'}`, {
    cause,
    hint: absent
      ? 'Correct the path, or use the agent of SSH_AUTH_SOCK.'
      : 'Check its permissions and those of its folder.',
  });
}

/** Where the engine is: flags, environment and Docker contexts become one address, before anything is dialled. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../core/errors.js';
import type { Patience } from './patience.js';

export const DEFAULT_HOST =
  process.platform === 'win32' ? 'npipe:////./pipe/docker_engine' : 'unix:///var/run/docker.sock';

export interface ConnectOptions {
  /** `--host`: `unix://`, `tcp://`, `http(s)://`, `ssh://` or `npipe://`; `HOST:PORT` means tcp. */
  readonly host?: string | undefined;
  /** `--certs`: folder with `ca.pem`, `cert.pem` and `key.pem`. */
  readonly certs?: string | undefined;
  /** `--use-tls`. */
  readonly tls?: boolean | undefined;
  /** Name of a Docker context; beats the environment, yields to `host`. */
  readonly context?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of each registry password that is used: nobody may read it. */
  readonly onPassword?: (password: string) => void;
  /** Told in one sentence when a call is sent again after its connection broke. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /** How long the engine is waited for, where the defaults do not fit. */
  readonly patience?: Patience | undefined;
}

export interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** False: encrypted, but the server's certificate is not checked. */
  readonly verify: boolean;
}

export type EngineAddress = {
  /** As shown to users, e.g. `unix:///var/run/docker.sock`. */
  readonly url: string;
  /** What made it so, e.g. `DOCKER_HOST`, for messages. */
  readonly from: string;
} & (
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'tcp'; readonly hostname: string; readonly port: number; readonly tls?: TlsFiles }
  | { readonly kind: 'ssh'; readonly target: SshTarget }
);

export interface SshTarget {
  readonly hostname: string;
  readonly user?: string;
  readonly port?: string;
  /** Socket path on the other side, if the URL names one. */
  readonly remotePath?: string;
}

/** Folder of the Docker command line's configuration. */
export function dockerConfigFolder(env: ConnectOptions['env']): string {
  return env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
}

/**
 * Decide which engine is meant, in the order of the Docker command line: flag, named context, DOCKER_HOST,
 * DOCKER_CONTEXT, `currentContext` of config.json, default socket.
 * Source: https://docs.docker.com/engine/manage-resources/contexts/
 */
export async function resolveAddress(options: ConnectOptions): Promise<EngineAddress> {
  const { env } = options;
  if (options.host) return parseAddress(options.host, '--host', await flagTls(options, options.host));
  if (options.context) return contextAddress(options.context, 'the context option', env);
  const host = env['DOCKER_HOST'];
  if (host) return parseAddress(host, 'DOCKER_HOST', await flagTls(options, host));
  const named = env['DOCKER_CONTEXT'];
  if (named) return contextAddress(named, 'DOCKER_CONTEXT', env);
  const config = await readJson(join(dockerConfigFolder(env), 'config.json'));
  const current = config?.['currentContext'];
  if (typeof current === 'string' && current !== '')
    return contextAddress(current, 'the current context', env);
  return parseAddress(DEFAULT_HOST, 'the default');
}

/** @throws EngineError when the address has no meaning */
export function parseAddress(host: string, from: string, tls?: TlsFiles): EngineAddress {
  const url = host.includes('://') ? host : `tcp://${host}`;
  const socket = /^(?:unix|npipe):\/\/(.*)$/.exec(url);
  if (socket !== null) {
    const path = socket[1] || DEFAULT_HOST.replace(/^\w+:\/\//, '');
    return { url, from, kind: 'socket', path };
  }
  const parsed = new URL(URL.canParse(url) ? url : 'unknown:');
  switch (parsed.protocol) {
    case 'tcp:':
    case 'http:':
    case 'https:':
      return tcpAddress(url, from, parsed, tls);
    case 'ssh:':
      return { url, from, kind: 'ssh', target: sshTarget(parsed) };
    default:
      throw new EngineError(`The engine address ${host} (from ${from}) is not understood`, {
        hint: 'Use unix:///path, tcp://host:port, https://host:port or ssh://user@host.',
      });
  }
}

function tcpAddress(url: string, from: string, parsed: URL, tls: TlsFiles | undefined): EngineAddress {
  const secure = tls ?? (parsed.protocol === 'https:' ? { verify: true } : undefined);
  // `new URL('http://h:80').port` is empty: the port must be read from the text.
  const written = /:(\d+)(?:\/|$)/.exec(url)?.[1];
  const port = written !== undefined ? Number(written) : secure ? 2376 : 2375;
  return {
    url,
    from,
    kind: 'tcp',
    hostname: parsed.hostname || 'localhost',
    port,
    ...(secure && { tls: secure }),
  };
}

function sshTarget(parsed: URL): SshTarget {
  return {
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    ...(parsed.username !== '' && { user: decodeURIComponent(parsed.username) }),
    ...(parsed.port !== '' && { port: parsed.port }),
    ...(parsed.pathname.length > 1 && { remotePath: parsed.pathname }),
  };
}

async function flagTls(options: ConnectOptions, host: string): Promise<TlsFiles | undefined> {
  const { env } = options;
  const wanted = options.tls ?? (Boolean(env['DOCKER_TLS_VERIFY']) || Boolean(options.certs));
  if (/^(?:unix|npipe|ssh|http):\/\//.test(host)) return undefined;
  if (!wanted && !host.startsWith('https://')) return undefined;
  const folder = options.certs ?? env['DOCKER_CERT_PATH'];
  // Certificates alone do not make the Docker command line speak TLS.
  return folder ? readTls(folder, true) : readTls(dockerConfigFolder(env), true, 'optional');
}

async function readTls(
  folder: string,
  verify: boolean,
  presence: 'required' | 'optional' = 'required',
): Promise<TlsFiles> {
  const read = async (name: string): Promise<Buffer | undefined> => {
    try {
      return await readFile(join(folder, name));
    } catch (cause) {
      if (presence === 'optional' && isMissing(cause)) return undefined;
      throw new EngineError(`The TLS file ${join(folder, name)} cannot be read`, {
        cause,
        hint: 'Point --certs or DOCKER_CERT_PATH at a folder with ca.pem, cert.pem and key.pem.',
      });
    }
  };
  const [ca, cert, key] = await Promise.all([read('ca.pem'), read('cert.pem'), read('key.pem')]);
  return { verify, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

async function contextAddress(
  name: string,
  from: string,
  env: ConnectOptions['env'],
): Promise<EngineAddress> {
  if (name === 'default') return parseAddress(DEFAULT_HOST, `${from} "default"`);
  const store = join(dockerConfigFolder(env), 'contexts');
  const id = createHash('sha256').update(name).digest('hex');
  const meta = await readJson(join(store, 'meta', id, 'meta.json'));
  const endpoint = record(record(meta?.['Endpoints'])?.['docker']);
  const host = endpoint?.['Host'];
  if (typeof host !== 'string' || host === '') {
    throw new EngineError(`The Docker context "${name}" (from ${from}) does not exist`, {
      hint: 'See `docker context ls`, or name an engine with --host.',
    });
  }
  const files = await readTls(
    join(store, 'tls', id, 'docker'),
    endpoint?.['SkipTLSVerify'] !== true,
    'optional',
  );
  const tls = files.ca || files.cert || endpoint?.['SkipTLSVerify'] === true ? files : undefined;
  return parseAddress(host, `the Docker context "${name}"`, tls);
}

/** Content of a JSON object file; undefined when it is missing. */
export async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new EngineError(`${path} cannot be read`, { cause, hint: 'Check its permissions.' });
  }
  try {
    return record(JSON.parse(text));
  } catch {
    // The parser's message may quote the file, and config.json holds passwords: it is not passed on.
    throw new EngineError(`${path} is not valid JSON`, { hint: 'Correct the file, or move it away.' });
  }
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

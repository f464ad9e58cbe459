/** Registry credentials of the Docker command line: config.json and its credential helpers. Never logged, never in errors. */
import pLimit from 'p-limit';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { dockerConfigFolder, readJson } from './address.js';

export interface Credentials {
  readonly username: string;
  /** Password, or an identity token when the username is empty. */
  readonly secret: string;
}

/** Each may start a credential helper, which is a process. */
const HELPERS_AT_ONCE = 4;

const HUB = 'https://index.docker.io/v1/';
const HELPER_TIME_LIMIT_MS = 30_000;

/** Reads the configuration once, when it is first needed; asks helpers once for each registry. */
export class RegistryAuth {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #asked = new Map<string, Promise<Credentials | undefined>>();
  readonly #onPassword: (password: string) => void;
  readonly #over = new AbortController();
  #config: Promise<AuthConfig> | undefined;

  /** @param onPassword told of each password before anybody gets it */
  constructor(
    env: Readonly<Record<string, string | undefined>>,
    onPassword: (password: string) => void = () => undefined,
  ) {
    this.#env = env;
    this.#onPassword = onPassword;
  }

  /** Ends the helpers that still work: nobody waits for them any more. */
  close(): void {
    this.#over.abort();
  }

  /** Credentials for a host as BuildKit names it, e.g. `registry-1.docker.io` or `localhost:5000`. */
  async forHost(host: string): Promise<Credentials | undefined> {
    const key = /^(?:registry-1\.|index\.|auth\.)?docker\.io$/.test(host) ? HUB : host;
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#load()
        .then((config) => this.#find(config, key))
        .then((found) => {
          if (found !== undefined) this.#onPassword(found.secret);
          return found;
        });
      this.#asked.set(key, asked);
    }
    return asked;
  }

  /** Value of the header `X-Registry-Config`, with which classic builds pull; undefined when nothing is configured. */
  async registryConfigHeader(): Promise<string | undefined> {
    const config = await this.#load();
    const keys = new Set([
      ...config.entries.keys(),
      ...config.helpers.keys(),
      ...(await this.#stored(config)),
    ]);
    const atOnce = pLimit(HELPERS_AT_ONCE);
    const found = await Promise.all(
      [...keys].map((key) => atOnce(async () => [key, await this.forHost(key)] as const)),
    );
    const known = found.flatMap(([key, credentials]) =>
      credentials === undefined ? [] : [[key, apiCredentials(key, credentials)] as const],
    );
    if (known.length === 0) return undefined;
    return Buffer.from(JSON.stringify(Object.fromEntries(known))).toString('base64url');
  }

  /** Value of the header `X-Registry-Auth`, with which images are pulled; undefined when nothing is configured. */
  async registryAuthHeader(host: string): Promise<string | undefined> {
    const credentials = await this.forHost(host);
    if (credentials === undefined) return undefined;
    return Buffer.from(JSON.stringify(apiCredentials(host, credentials))).toString('base64url');
  }

  #load(): Promise<AuthConfig> {
    this.#config ??= readJson(join(dockerConfigFolder(this.#env), 'config.json')).then(parseAuthConfig);
    return this.#config;
  }

  async #find(config: AuthConfig, key: string): Promise<Credentials | undefined> {
    const helper = config.helpers.get(key) ?? config.store;
    if (helper !== undefined) {
      const stored = await askHelper(helper, 'get', key, this.#env, this.#over.signal);
      const credentials = stored === undefined ? undefined : helperCredentials(stored);
      if (credentials !== undefined) return credentials;
    }
    const bare = hostOf(key);
    return config.entries.get(key) ?? [...config.entries].find(([name]) => hostOf(name) === bare)?.[1];
  }

  /** Registries that the default store knows. */
  async #stored(config: AuthConfig): Promise<readonly string[]> {
    if (config.store === undefined) return [];
    const listed = await askHelper(config.store, 'list', '', this.#env, this.#over.signal);
    return listed === undefined ? [] : Object.keys(listed);
  }
}

interface AuthConfig {
  readonly entries: ReadonlyMap<string, Credentials>;
  readonly helpers: ReadonlyMap<string, string>;
  readonly store: string | undefined;
}

/** Source: https://docs.docker.com/reference/cli/docker/login/#credential-stores */
export function parseAuthConfig(config: Record<string, unknown> | undefined): AuthConfig {
  const entries = Object.entries(objectOf(config?.['auths'])).flatMap(([key, value]) => {
    const credentials = entryCredentials(objectOf(value));
    return credentials === undefined ? [] : [[key, credentials] as const];
  });
  const helpers = Object.entries(objectOf(config?.['credHelpers'])).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const store = config?.['credsStore'];
  return {
    entries: new Map(entries),
    helpers: new Map(helpers),
    store: typeof store === 'string' && store !== '' ? store : undefined,
  };
}

function entryCredentials(entry: Record<string, unknown>): Credentials | undefined {
  const { auth, identitytoken: token, username, password } = entry;
  if (typeof token === 'string' && token !== '') return { username: '', secret: token };
  if (typeof auth === 'string' && auth !== '') {
    const plain = Buffer.from(auth, 'base64').toString();
    const colon = plain.indexOf(':');
    if (colon > 0)
      return { username: plain.slice(0, colon), secret: plain.slice(colon + 1).replace(/\0+$/, '') };
  }
  if (typeof username === 'string' && typeof password === 'string') return { username, secret: password };
  return undefined;
}

function helperCredentials(answer: Record<string, unknown>): Credentials | undefined {
  const { Username: username, Secret: secret } = answer;
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return undefined;
  return { username: username === '<token>' ? '' : username, secret };
}

function apiCredentials(key: string, { username, secret }: Credentials): object {
  return username === ''
    ? { identitytoken: secret, serveraddress: key }
    : { username, password: secret, serveraddress: key };
}

/**
 * Ask `docker-credential-NAME`. Anything but a clean answer means that there are no credentials: the pull then fails with the
 * registry's own words. Source: https://github.com/docker/docker-credential-helpers#development
 */
function askHelper(
  helper: string,
  verb: 'get' | 'list',
  input: string,
  env: Readonly<Record<string, string | undefined>>,
  over: AbortSignal,
): Promise<Record<string, unknown> | undefined> {
  // The name becomes a program's name: a path would run something else.
  if (!/^[\w.-]+$/.test(helper)) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const child = spawn(`docker-credential-${helper}`, [verb], {
      env: { ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: HELPER_TIME_LIMIT_MS,
      signal: over,
      killSignal: 'SIGKILL',
      windowsHide: true,
    });
    // What it has started may hold its output open for ever.
    child.on('exit', () => {
      if (child.killed) child.stdout.destroy();
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdin.on('error', () => undefined);
    child.on('error', () => {
      resolve(undefined);
    });
    child.on('close', (code) => {
      resolve(code === 0 ? parseAnswer(Buffer.concat(chunks).toString()) : undefined);
    });
    child.stdin.end(input);
  });
}

function parseAnswer(text: string): Record<string, unknown> | undefined {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

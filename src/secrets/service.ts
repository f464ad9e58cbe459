/**
 * The secrets service: gives RUN of any builder the secrets of its own step by HTTP, while the step is built.
 *
 * RUN learns address and credentials by build args, and build args are part of what a builder's cache knows a step by, and
 * of what an image's history keeps. New ones in each session would rebuild an unchanged step for nothing; the same ones
 * would leave a key to the secrets in every image. So the args of a step's last build are remembered and given once
 * more, but their credentials are spent: they open nothing. If every RUN that would use them is cached, nobody asks and
 * the step is not rebuilt. If one does ask, it is refused, `stale` is aborted, and the core builds the step again with
 * fresh credentials. So nobody is ever served by credentials that the history of an earlier image may hold; and those of
 * this session, which the history of its own image holds already, die when the step's `ServedSecrets` is disposed.
 *
 * What remains: a step that changed begins twice, and its second build has the cache only up to the ARGs. Credentials
 * chosen by the user (`--password-secret-server`) are the same in every session and stay good.
 */
import type { PlannedStep } from '../core/plan.js';
import type { Secret, SecretService, ServedSecrets } from '../core/secrets.js';
import { basicToken, Doorkeeper, throwAwayCredentials, type Credentials } from './credentials.js';
import { fingerprintOf, type ServiceMemory } from './memory.js';
import { declaredServiceArgs, portFor, serviceArgs } from './service-args.js';
import { explainListen } from './service-failure.js';
import { requestListener } from './service-http.js';
import { Listeners, type Listener } from './service-listener.js';

/** The user of the original when only a password is given. */
const ORIGINAL_USER = 'habitus';

export interface SecretServiceOptions {
  /** An IP address of this machine that build containers reach. */
  readonly address: string;
  /** Of `--port`; absent: as the Dockerfile can take it. */
  readonly port?: number;
  /** Whom to serve: steps whose Dockerfiles declare one of the service's ARGs, or (`--port`, `--binding`) all with secrets. */
  readonly serves: 'declared' | 'all';
  /** Without `:`. */
  readonly user?: string;
  /** Makes the credentials the user's own: steps are then served one after the other, for nothing else tells them apart. */
  readonly password?: string;
  /**
   * Whether a Dockerfile without ARGs for it sends that password by itself, as with `--authentication-secret-server` of the
   * original; else it is put before the address, like throw-away ones.
   */
  readonly authentication?: boolean;
  /** What `/v1/version` tells. */
  readonly version: string;
  readonly memory: ServiceMemory;
  /** Told of refused attempts, without credentials or values. */
  readonly onRefused: (message: string) => void;
  /** Told of what is to be redacted from now on. */
  readonly onCredentials: (values: readonly string[]) => void;
}

/** Whether a step needs the service, and so an address for it. */
export function needsService(
  step: Pick<PlannedStep, 'dockerfile' | 'secrets'>,
  serves: SecretServiceOptions['serves'],
): boolean {
  return step.secrets.length > 0 && (serves === 'all' || declaredServiceArgs(step).size > 0);
}

/** Listens only while a step is served; `serve` rejects with a StepError where it cannot listen. */
export function createSecretService(options: SecretServiceOptions): SecretService {
  return new Service(options);
}

/** What one call of `serve` has opened. */
interface Opened {
  readonly listener: Listener;
  readonly credentials: Credentials;
  readonly kind: 'live' | 'spent';
}

class Service implements SecretService {
  readonly #options: SecretServiceOptions;
  readonly #doorkeeper: Doorkeeper;
  readonly #listeners: Listeners;
  readonly #served = new Set<ServedSecrets>();
  /** Settles when the step before has been served; only where all have the same credentials. */
  #turn = Promise.resolve();
  #ended = false;

  constructor(options: SecretServiceOptions) {
    this.#options = options;
    this.#doorkeeper = new Doorkeeper(options.onRefused);
    this.#listeners = new Listeners(requestListener(this.#doorkeeper, options.version));
  }

  async serve(step: PlannedStep, secrets: readonly Secret[], fresh: boolean): Promise<ServedSecrets> {
    if (secrets.length === 0 || !needsService(step, this.#options.serves)) return NOT_SERVED;
    const endTurn = this.#options.password === undefined ? undefined : await this.#takeTurn();
    try {
      const opened = await this.#open(step, fingerprintOf(secrets), fresh);
      if (this.#ended) {
        await opened.listener[Symbol.asyncDispose]();
        throw new Error(`the secrets service has ended before step ${step.label}`);
      }
      return this.#admit(step, secrets, opened, endTurn);
    } catch (error) {
      endTurn?.();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await Promise.all([...this.#served].map((served) => served[Symbol.asyncDispose]()));
  }

  /** Let those in who have the credentials, until what is returned is disposed. */
  #admit(
    step: PlannedStep,
    secrets: readonly Secret[],
    { listener, credentials, kind }: Opened,
    endTurn: (() => void) | undefined,
  ): ServedSecrets {
    const { address, memory, password, authentication = false, onCredentials } = this.#options;
    onCredentials([credentials.password, encodeURIComponent(credentials.password), basicToken(credentials)]);
    const stale = new AbortController();
    const presented = (): void => {
      stale.abort(new Error(`step ${step.label} is not cached: its secrets need fresh credentials`));
    };
    const { label } = step;
    const revoke = this.#doorkeeper.admit(
      credentials,
      kind === 'live' ? { kind, step: label, secrets: byPath(secrets) } : { kind, step: label, presented },
    );
    const place = { address, port: listener.port };
    const served: ServedSecrets = {
      args: serviceArgs(
        step,
        declaredServiceArgs(step),
        place,
        credentials,
        authentication && password !== undefined ? 'known' : 'in-address',
      ),
      stale: stale.signal,
      built: async () => {
        const kept = password === undefined ? credentials : undefined;
        await memory.remember(label, { ...place, credentials: kept, fingerprint: fingerprintOf(secrets) });
      },
      [Symbol.asyncDispose]: async () => {
        if (!this.#served.delete(served)) return;
        revoke();
        await listener[Symbol.asyncDispose]();
        endTurn?.();
      },
    };
    this.#served.add(served);
    return served;
  }

  /** With the place and credentials of the last build where they may be given again, else with new ones. */
  async #open(step: PlannedStep, fingerprint: string, fresh: boolean): Promise<Opened> {
    const { address, memory, port, user, password } = this.#options;
    const wanted = portFor(step, declaredServiceArgs(step), port);
    const last = fresh || step.noCache ? undefined : await memory.recall(step.label);
    const fits =
      last?.address === address &&
      last.fingerprint === fingerprint &&
      (wanted === 0 || wanted === last.port) &&
      (user === undefined || password !== undefined || user === last.credentials?.user);
    if (fits) {
      const listener = await this.#listeners.open(address, last.port).catch(() => undefined);
      if (listener !== undefined) {
        if (password !== undefined) return { listener, credentials: this.#chosen(password), kind: 'live' };
        if (last.credentials !== undefined) return { listener, credentials: last.credentials, kind: 'spent' };
        await listener[Symbol.asyncDispose]();
      }
    }
    const credentials = password === undefined ? throwAwayCredentials(user) : this.#chosen(password);
    try {
      return { listener: await this.#listeners.open(address, wanted), credentials, kind: 'live' };
    } catch (error) {
      throw explainListen(error, address, wanted);
    }
  }

  #chosen(password: string): Credentials {
    return { user: this.#options.user ?? ORIGINAL_USER, password };
  }

  /** @returns what ends the turn */
  async #takeTurn(): Promise<() => void> {
    const before = this.#turn;
    let end: () => void = () => undefined;
    this.#turn = new Promise((resolve) => (end = resolve));
    await before;
    return end;
  }
}

const NOT_SERVED: ServedSecrets = {
  args: {},
  stale: new AbortController().signal,
  built: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

function byPath(secrets: readonly Secret[]): ReadonlyMap<string, Buffer> {
  return new Map(secrets.map(({ type, name, value }) => [`${type}/${name}`, value]));
}

/** The secrets of one build, from their sources to the proof: read once, kept out of all that is told, served, searched for. */
import type { BuildOptions } from '../core/api.js';
import { UsageError } from '../core/errors.js';
import type { Plan, PlannedStep } from '../core/plan.js';
import type { Builder, Engine } from '../core/ports.js';
import type { BuildSecrets, Secret, SecretService, ServedSecrets } from '../core/secrets.js';
import { userFolder } from '../core/user-folder.js';
import { digestOf, openDigestKey } from './digest.js';
import { openServiceMemory } from './memory.js';
import { createRedactor, type Redactor } from './redact.js';
import { createSecretService, needsService } from './service.js';
import { readSecrets } from './sources.js';

type Options = Pick<BuildOptions, 'secrets' | 'proof' | 'proofBase'>;

export interface ReadSecrets {
  /** Declared ones and those of `--secret-env`, with values that differ. */
  readonly all: readonly Secret[];
  readonly redactor: Redactor;
  /** What a user should know, one sentence each. */
  readonly warnings: readonly string[];
  readonly of: BuildSecrets['of'];
}

/**
 * Nothing is built yet.
 * @param env where secrets of type `env` come from
 * @param more further values that are secret, by name
 * @throws UsageError that lists all that cannot be read, or the signal's reason
 */
export async function openSecrets(
  plan: Plan,
  { secrets: how = {}, proof = true }: Options,
  env: Readonly<Record<string, string | undefined>>,
  more: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<ReadSecrets> {
  const wanted = more.size > 0 || plan.steps.some(({ secrets }) => secrets.length > 0);
  const redactor = createRedactor();
  if (!wanted) return { all: [], redactor, warnings: [], of: () => [] };
  refuseAnyAddress(how.binding);
  const key = await openDigestKey(userFolder(process.env));
  const { byStep, distinct } = await readSecrets(plan, {
    env,
    allowCommands: how.allowCommands ?? false,
    key: key.key,
    signal,
  });
  const values = new Set(distinct.map(({ value }) => value.toString('latin1')));
  const variables = [...more].flatMap(([name, text]): readonly Secret[] => {
    const value = Buffer.from(text);
    if (text === '' || values.has(value.toString('latin1'))) return [];
    return [{ name, type: 'env', value, digest: digestOf(key.key, value) }];
  });
  const all = [...distinct, ...variables];
  redactor.add(all.map(({ value }) => value));
  return {
    all,
    redactor,
    warnings: [
      ...(key.kind === 'process'
        ? [
            `steps with secrets are built anew each time, for nothing can be remembered of them: ${key.reason}`,
          ]
        : []),
      ...(proof ? [] : ['--no-proof: nothing is searched for secrets, so images may hold some']),
    ],
    of: (label) => byStep.get(label) ?? [],
  };
}

/** @throws UsageError */
function refuseAnyAddress(binding: string | undefined): void {
  if (binding === undefined || !/^(?:0\.0\.0\.0|\[?::\]?)$/.test(binding)) return;
  throw new UsageError(`--binding ${binding} is no address that RUN could call`, {
    hint: 'Give the one address of this machine that build containers can reach.',
  });
}

export interface ServiceFacts {
  readonly engine: Engine;
  readonly builder: Builder;
  readonly network: string;
  readonly plan: Plan;
  readonly version: string;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

/** What the core needs of them. Dispose it: that ends the service. */
export function forBuild(
  { all, redactor, of }: ReadSecrets,
  { secrets: how = {}, proof = true, proofBase = false }: Options,
  facts: ServiceFacts,
): BuildSecrets & AsyncDisposable {
  const service = new LateService(how, facts, redactor);
  return {
    of,
    service,
    ...(proof && all.length > 0 && { prove: lateProof(all, proofBase) }),
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

/** Loaded when there is something to prove. */
function lateProof(all: readonly Secret[], base: boolean): NonNullable<BuildSecrets['prove']> {
  return async (leaving, signal) => {
    const { createProof } = await import('./proof.js');
    return createProof(all, base)(leaving, signal);
  };
}

/** Asks the engine for the address when the first step needs one. */
class LateService implements SecretService {
  readonly #how: NonNullable<Options['secrets']>;
  readonly #facts: ServiceFacts;
  readonly #redactor: Redactor;
  #service: Promise<SecretService> | undefined;

  constructor(how: NonNullable<Options['secrets']>, facts: ServiceFacts, redactor: Redactor) {
    this.#how = how;
    this.#facts = facts;
    this.#redactor = redactor;
  }

  async serve(step: PlannedStep, secrets: readonly Secret[], fresh: boolean): Promise<ServedSecrets> {
    if (!needsService(step, this.#serves)) return NOT_SERVED;
    this.#service ??= this.#open();
    return (await this.#service).serve(step, secrets, fresh);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#service?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  /** Who chooses an address or a port knows of Dockerfiles that hold them. */
  get #serves(): 'declared' | 'all' {
    return this.#how.binding === undefined && (this.#how.port ?? 0) === 0 ? 'declared' : 'all';
  }

  async #open(): Promise<SecretService> {
    const { binding, port = 0, user, password, authentication } = this.#how;
    const { engine, builder, plan, version, warn } = this.#facts;
    return createSecretService({
      address: binding ?? (await this.#address()),
      ...(port !== 0 && { port }),
      serves: this.#serves,
      ...(user !== undefined && { user }),
      ...(password !== undefined && { password }),
      ...(authentication !== undefined && { authentication }),
      version,
      memory: openServiceMemory(userFolder(process.env), `${engine.info.id} ${builder}`, plan.file),
      onRefused: warn,
      onCredentials: (values) => {
        this.#redactor.add(values);
      },
    });
  }

  async #address(): Promise<string> {
    const { engine, network, signal } = this.#facts;
    if (!engine.info.local) {
      throw new UsageError(
        `${engine.info.name} is on another machine: RUN cannot find the secrets service there`,
        {
          hint: 'Give --binding an address of this machine that its containers can reach, or use RUN --mount=type=secret with BuildKit.',
        },
      );
    }
    const address = await engine.gateway(network, signal);
    if (address !== undefined) return address;
    throw new UsageError(`from the network ${network} RUN cannot reach the secrets service`, {
      hint: 'Choose another --network, give --binding an address that RUN can reach, or use RUN --mount=type=secret with BuildKit.',
    });
  }
}

const NOT_SERVED: ServedSecrets = {
  args: {},
  stale: new AbortController().signal,
  built: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

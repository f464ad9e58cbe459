/** The package: `build` for whole build files, `squash`, `checkImage` and `prove` for single images. */
import { availableParallelism } from 'node:os';
import { loadPlan } from './config/load.js';
import { refuseSecretValues } from './config/secret-values.js';
import { readImageInput, readNewName, readStays } from './config/image-words.js';
import { planOptions } from './config/options.js';
import { renderDiagnosticLine } from './config/render.js';
import type { BuildOptions, BuildResult } from './core/api.js';
import { runBuild } from './core/build.js';
import { checkPlan, chooseBuilder } from './core/check.js';
import { checkOne } from './core/check-image.js';
import type { Emit } from './core/events.js';
import type {
  CheckImageOptions,
  ImageCheck,
  ProveOptions,
  ProveResult,
  SquashOptions,
  SquashResult,
} from './core/image-api.js';
import type { Connect } from './core/image-input.js';
import type { Engine } from './core/ports.js';
import type { SessionMemory } from './core/memory.js';
import { openSessionMemory, type MemoryFacts } from './cache/step-memory.js';
import { CacheStore } from './cache/store.js';
import { squashOne } from './core/squash-one.js';
import type { Plan } from './core/plan.js';
import { connect } from './engine/connect.js';
import { checkSsh } from './engine/ssh-sources.js';
import { forBuild, openSecrets, type ReadSecrets } from './secrets/build-secrets.js';
import { openDigestKey } from './secrets/digest.js';
import { memoryFolder } from './secrets/memory-folder.js';
import { proveOne, readNamedSecrets } from './secrets/prove-one.js';
import { writeReport } from './secrets/report-file.js';
import { packageVersion } from './version.js';

export type { BuildOptions, BuildResult, EngineAddress, Logger, StepResult } from './core/api.js';
export type {
  CheckedImageSummary,
  CheckedLayer,
  CheckImageOptions,
  EmitImageEvent,
  ImageCheck,
  ImageEvent,
  Finding,
  ImagePhase,
  ProveOptions,
  ProveResult,
  ProveSecret,
  SquashOptions,
  SquashResult,
} from './core/image-api.js';
export { EngineError, HabitusError, ImageCommandError, StepError, UsageError } from './core/errors.js';
export type { BuildEvent, Emit, Failure, InstructionEvent, StepPhase, StepStatus } from './core/events.js';
export type { Limits } from './core/ports.js';
export type { ProofFinding, ProofReport } from './core/secrets.js';
export { ConfigError, type Diagnostic } from './config/diagnostic.js';

/** Steps wait for the engine's disk and network as often as for a processor. */
const DEFAULT_JOBS = 2 * availableParallelism();

/**
 * Build everything that the build file asks for. A failed or cancelled build resolves, with its status.
 * @throws {UsageError} options or files are wrong (ConfigError lists every problem); nothing was built
 * @throws {EngineError} no engine answers, or it could not name the images
 * @throws the reason of `options.signal`, when it was aborted before the first step
 */
export async function build(options: BuildOptions): Promise<BuildResult> {
  const signal = options.signal ?? new AbortController().signal;
  const loaded = await loadPlan(planOptions(options, process.env));
  const { plan } = loaded;
  const secrets = await openSecrets(plan, options, process.env, secretVariables(options), signal);
  const { redactor } = secrets;
  const emit = redactor.emit(logged(options));
  const warn = (message: string): void => {
    emit({ at: Date.now(), type: 'notice', level: 'warning', message });
  };
  try {
    refuseSecretValues(loaded, secrets.all, options.buildArgs ?? {});
    [...loaded.warnings.map(renderDiagnosticLine), ...secrets.warnings].forEach(warn);
    const result = redactor.data(await buildPlan(plan, options, secrets, emit, warn, signal));
    if (options.proofFile !== undefined) await writeReport(options.proofFile, result.proof);
    return result;
  } catch (error) {
    throw redactor.error(error);
  }
}

async function buildPlan(
  plan: Plan,
  options: BuildOptions,
  secrets: ReadSecrets,
  emit: Emit,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<BuildResult> {
  const onPassword = (password: string): void => {
    secrets.redactor.add([password]);
  };
  const engine = await connect({ ...options.engine, env: process.env, onPassword }, signal);
  const network = options.network ?? 'default';
  try {
    const builder = chooseBuilder(options.builder ?? 'auto', engine.info);
    checkPlan(plan, builder);
    if (builder === 'buildkit') {
      await checkSsh(
        plan.steps.flatMap(({ ssh }) => ssh),
        process.env,
      );
    }
    await using served = forBuild(secrets, options, {
      engine,
      builder,
      network,
      plan,
      version: packageVersion(),
      warn,
      signal,
    });
    const memory =
      (options.fingerprint ?? true)
        ? await openMemory(plan, options, secrets, { engine, builder, network, warn })
        : undefined;
    const settings = {
      builder,
      jobs: options.jobs ?? DEFAULT_JOBS,
      keepGoing: options.keepGoing ?? false,
      keepArtifacts: options.keepArtifacts ?? false,
      network,
      limits: options.limits ?? {},
      keepBuildCache: options.keepBuildCache ?? false,
      removeContainers: options.removeContainers ?? true,
      removal: { force: options.forceRemoveImages ?? false, noPrune: options.noPruneImages ?? false },
      secrets: served,
      explain: options.explain ?? false,
      ...(memory !== undefined && { memory }),
    };
    return await runBuild(plan, engine, settings, emit, signal);
  } finally {
    await engine.close();
  }
}

/** `undefined` where nothing can be remembered of this user. */
async function openMemory(
  plan: Plan,
  { limits = {}, keepArtifacts = false }: BuildOptions,
  { of }: ReadSecrets,
  facts: Pick<MemoryFacts, 'engine' | 'builder' | 'network' | 'warn'>,
): Promise<SessionMemory | undefined> {
  const key = await openDigestKey(memoryFolder(process.env));
  if (key.kind === 'process') return undefined;
  return openSessionMemory({
    ...facts,
    plan,
    limits,
    keepArtifacts,
    version: packageVersion(),
    secretsOf: of,
    key: key.key,
    store: CacheStore.of(process.env),
  });
}

/** The values of `--secret-env`: what is not set is no secret. */
function secretVariables({ secretEnv = [], env }: BuildOptions): ReadonlyMap<string, string> {
  const values = { ...process.env, ...env };
  return new Map(
    secretEnv.flatMap((name) => {
      const value = values[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/**
 * Make one layer of an image's layers, or of those above a base. The original image stays as it is; at most its name moves.
 * @throws {UsageError} the options or the image are wrong
 * @throws {ImageCommandError} there is no room, or the output broke
 * @throws {EngineError} no engine answers, or it failed; files alone need no engine
 * @throws the reason of `options.signal`; nothing is left, whatever is thrown
 */
export async function squash(options: SquashOptions): Promise<SquashResult> {
  const order = {
    input: readImageInput(options.image),
    stays: readStays(options.from),
    names: [...new Set((options.tags ?? []).map(readNewName))],
    output: options.output,
  };
  return withEngine(options, (connect, emit, signal) => squashOne(order, { connect, emit, signal }));
}

/**
 * Recompute every digest and size of an image or archive. What is wrong with it is in the result.
 * @throws {UsageError} there is no such image or file
 * @throws {EngineError} no engine answers, or it failed; files need no engine
 */
export async function checkImage(options: CheckImageOptions): Promise<ImageCheck> {
  const input = readImageInput(options.image);
  return withEngine(options, (connect, emit, signal) => checkOne(input, connect, emit, signal));
}

/**
 * Search an image or archive for secrets. What is found is in the result, never a value.
 * @throws {UsageError} there is no such image or file, or a secret cannot be read
 * @throws {EngineError} no engine answers, or it failed; files need no engine
 */
export async function prove(options: ProveOptions): Promise<ProveResult> {
  const input = readImageInput(options.image);
  const stays = options.base === undefined ? undefined : readStays(options.base);
  const secrets = await readNamedSecrets(options.secrets, process.env);
  const result = await withEngine(options, (connect, emit, signal) =>
    proveOne({ input, stays, secrets }, connect, emit, signal),
  );
  if (options.proofFile !== undefined) await writeReport(options.proofFile, result);
  return result;
}

/** With an engine that is connected at the first need of it. */
async function withEngine<T>(
  options: Pick<SquashOptions, 'engine' | 'emit' | 'signal'>,
  work: (connect: Connect, emit: NonNullable<SquashOptions['emit']>, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { emit = () => undefined, signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  let engine: Promise<Engine> | undefined;
  try {
    const found = () => (engine ??= connect({ ...options.engine, env: process.env }, signal));
    return await work(found, emit, signal);
  } finally {
    await engine?.then(
      (connected) => connected.close(),
      // Who asked for it has got this error.
      () => undefined,
    );
  }
}

function logged({ emit, log }: BuildOptions): Emit {
  return (event) => {
    if (event.type === 'notice' && event.level === 'warning') log?.warn(event.message);
    emit?.(event);
  };
}

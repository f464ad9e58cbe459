/** One whole build: files to a plan, secrets, an engine, what is remembered; then the core runs it. */
import { setMaxListeners } from 'node:events';
import { availableParallelism } from 'node:os';
import { openSessionMemory, type MemoryFacts } from './cache/step-memory.js';
import { CacheStore } from './cache/store.js';
import { planOptions } from './config/options.js';
import { renderDiagnosticLine } from './config/render.js';
import { refuseSecretValues } from './config/secret-values.js';
import type { BuildOptions, BuildResult } from './core/api.js';
import { runBuild } from './core/build.js';
import { checkPlan, chooseBuilder } from './core/check.js';
import { writeDuration } from './core/duration.js';
import { TimeoutError, UsageError } from './core/errors.js';
import type { Emit } from './core/events.js';
import type { SessionMemory } from './core/memory.js';
import type { Plan } from './core/plan.js';
import type { Engine } from './core/ports.js';
import { TimeLimit } from './core/time-limit.js';
import { userFolder, type UserFolder } from './core/user-folder.js';
import { EarlyEngine } from './early-engine.js';
import { openPlan, planMemory } from './open-plan.js';
import { forBuild, openSecrets, type ReadSecrets } from './secrets/build-secrets.js';
import { openDigestKey } from './secrets/digest.js';
import { checkReportFile, writeReport } from './secrets/report-file.js';
import { packageVersion } from './version.js';

/** Steps wait for disks, networks and locks in the engine more than for a processor; those that compile need memory, too. */
const DEFAULT_JOBS = 4 * availableParallelism();

/**
 * Build everything that the build file asks for. A failed or cancelled build resolves, with its status.
 * @throws {UsageError} options or files are wrong (ConfigError lists every problem); nothing was built
 * @throws {EngineError} no engine answers, or it could not name the images
 * @throws {TimeoutError} the time was up before the first step
 * @throws the reason of `options.signal`, when it was aborted before the first step
 */
export async function build(options: BuildOptions): Promise<BuildResult> {
  using limit = limitOf(options);
  const signal = AbortSignal.any([options.signal, limit?.signal].filter((one) => one !== undefined));
  // Every call listens; Node 20 and 22 would warn of a leak from the eleventh listener on.
  setMaxListeners(0, signal);
  const folder = userFolder(process.env);
  // First, for it waits for the engine.
  await using early = new EarlyEngine({ ...options.engine, env: process.env }, folder, signal);
  const plans = (options.fingerprint ?? true) ? planMemory(folder) : undefined;
  const opened = await openPlan(planOptions(options, process.env), plans);
  const { plan } = opened;
  if (options.proofFile !== undefined) await checkReportFile(options.proofFile);
  const secrets = await openSecrets(plan, options, process.env, secretVariables(options), signal);
  const { redactor } = secrets;
  const emit = redactor.emit(logged(options));
  const warn = (message: string): void => {
    emit({ at: Date.now(), type: 'notice', level: 'warning', message });
  };
  try {
    await refuseSecretValues(opened, secrets.all, options.buildArgs ?? {});
    [...opened.warnings.map(renderDiagnosticLine), ...secrets.warnings].forEach(warn);
    const onPassword = (password: string): void => {
      redactor.add([password]);
    };
    const engine = await early.connected({ onPassword, onNotice: warn });
    signal.throwIfAborted();
    const scene = { engine, holdings: early.holdings, folder, secrets, emit, warn };
    const building = buildPlan(plan, options, scene, signal);
    // Meanwhile: no step waits for it.
    const remembered = opened.remember();
    const result = redactor.data(await building.finally(() => remembered));
    const isProven = result.proof !== undefined || result.status === 'succeeded';
    if (options.proofFile !== undefined && isProven) await writeReport(options.proofFile, result.proof);
    return result;
  } catch (error) {
    throw redactor.error(error);
  }
}

/** @throws {UsageError} for a time that cannot be waited for */
function limitOf({ timeoutMs }: BuildOptions): TimeLimit | undefined {
  if (timeoutMs === undefined) return undefined;
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1) {
    throw new UsageError(`timeoutMs takes whole milliseconds from 1, not ${timeoutMs}`);
  }
  const message = `the build took longer than ${writeDuration(timeoutMs)}`;
  return new TimeLimit(timeoutMs, () => new TimeoutError(message, { hint: LONGER }));
}

const LONGER = 'Find out what it waits for, or give it more time with "--timeout".';

interface Scene extends Pick<EarlyEngine, 'holdings'> {
  readonly engine: Engine;
  readonly folder: UserFolder;
  readonly secrets: ReadSecrets;
  readonly emit: Emit;
  readonly warn: (message: string) => void;
}

async function buildPlan(
  plan: Plan,
  options: BuildOptions,
  { engine, holdings, folder, secrets, emit, warn }: Scene,
  signal: AbortSignal,
): Promise<BuildResult> {
  const network = options.network ?? 'default';
  const builder = chooseBuilder(options.builder ?? 'auto', engine.info);
  checkPlan(plan, builder);
  const ssh = plan.steps.flatMap((step) => step.ssh);
  if (builder === 'buildkit' && ssh.length > 0) {
    const { checkSsh } = await import('./engine/ssh-sources.js');
    await checkSsh(ssh, process.env);
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
  await using memory =
    (options.fingerprint ?? true)
      ? await openMemory(plan, options, folder, secrets, {
          engine,
          builder,
          network,
          warn,
          holdsAll: served.prove !== undefined,
          explains: options.explain ?? false,
        })
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
    folder,
    holdings,
    secrets: served,
    pull: options.pull ?? false,
    explain: options.explain ?? false,
    ...(memory !== undefined && { memory }),
  };
  return await runBuild(plan, engine, settings, emit, signal);
}

/** `undefined` where nothing can be remembered of this user. */
async function openMemory(
  plan: Plan,
  { limits = {}, keepArtifacts = false }: BuildOptions,
  folder: UserFolder,
  { of }: ReadSecrets,
  facts: Pick<MemoryFacts, 'engine' | 'builder' | 'network' | 'warn' | 'holdsAll' | 'explains'>,
): Promise<SessionMemory | undefined> {
  const key = await openDigestKey(folder);
  if (key.kind === 'process') return undefined;
  return openSessionMemory({
    ...facts,
    plan,
    limits,
    keepArtifacts,
    version: packageVersion(),
    secretsOf: of,
    key: key.key,
    store: new CacheStore(folder),
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

function logged({ emit, log }: BuildOptions): Emit {
  return (event) => {
    if (event.type === 'notice' && event.level === 'warning') log?.warn(event.message);
    emit?.(event);
  };
}

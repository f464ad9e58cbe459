/** The package: `build(options)` reads the files, connects to the engine and runs the build. */
import { availableParallelism } from 'node:os';
import { loadPlan } from './config/load.js';
import { planOptions } from './config/options.js';
import { renderDiagnosticLine } from './config/render.js';
import type { BuildOptions, BuildResult } from './core/api.js';
import { runBuild } from './core/build.js';
import { checkPlan, chooseBuilder } from './core/check.js';
import type { Emit } from './core/events.js';
import { connect } from './engine/connect.js';

export type { BuildOptions, BuildResult, EngineAddress, Logger, StepResult } from './core/api.js';
export { EngineError, HabitusError, StepError, UsageError } from './core/errors.js';
export type { BuildEvent, Emit, Failure, InstructionEvent, StepPhase, StepStatus } from './core/events.js';
export type { Limits } from './core/ports.js';
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
  const emit = logged(options);
  const { plan, warnings } = await loadPlan(planOptions(options, process.env));
  for (const warning of warnings) {
    emit({ at: Date.now(), type: 'notice', level: 'warning', message: renderDiagnosticLine(warning) });
  }
  const engine = await connect({ ...options.engine, env: process.env }, signal);
  try {
    const builder = chooseBuilder(options.builder ?? 'auto', engine.info);
    checkPlan(plan, builder);
    const settings = {
      builder,
      jobs: options.jobs ?? DEFAULT_JOBS,
      keepGoing: options.keepGoing ?? false,
      keepArtifacts: options.keepArtifacts ?? false,
      network: options.network ?? 'default',
      limits: options.limits ?? {},
      keepBuildCache: options.keepBuildCache ?? false,
      removeContainers: options.removeContainers ?? true,
      removal: { force: options.forceRemoveImages ?? false, noPrune: options.noPruneImages ?? false },
    };
    return await runBuild(plan, engine, settings, emit, signal);
  } finally {
    await engine.close();
  }
}

function logged({ emit, log }: BuildOptions): Emit {
  return (event) => {
    if (event.type === 'notice' && event.level === 'warning') log?.warn(event.message);
    emit?.(event);
  };
}

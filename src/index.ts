/** The package: `build` for whole build files, `squash` and `checkImage` for single images. */
import { availableParallelism } from 'node:os';
import { loadPlan } from './config/load.js';
import { readImageInput, readNewName, readStays } from './config/image-words.js';
import { planOptions } from './config/options.js';
import { renderDiagnosticLine } from './config/render.js';
import type { BuildOptions, BuildResult } from './core/api.js';
import { runBuild } from './core/build.js';
import { checkPlan, chooseBuilder } from './core/check.js';
import { checkOne } from './core/check-image.js';
import type { Emit } from './core/events.js';
import type { CheckImageOptions, ImageCheck, SquashOptions, SquashResult } from './core/image-api.js';
import type { Connect } from './core/image-input.js';
import type { Engine } from './core/ports.js';
import { squashOne } from './core/squash-one.js';
import { connect } from './engine/connect.js';

export type { BuildOptions, BuildResult, EngineAddress, Logger, StepResult } from './core/api.js';
export type {
  CheckedImageSummary,
  CheckedLayer,
  CheckImageOptions,
  EmitImageEvent,
  ImageCheck,
  ImageEvent,
  ImagePhase,
  SquashOptions,
  SquashResult,
} from './core/image-api.js';
export { EngineError, HabitusError, ImageCommandError, StepError, UsageError } from './core/errors.js';
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

/** One step: context → build → cleanup → artifacts → command → hand-off. */
import type { Readable } from 'node:stream';
import { spoolArtifact, type Artifact } from '../tar/artifact.js';
import { buildImage } from './build-image.js';
import { EngineError, StepError } from './errors.js';
import { runHostCommand } from './host-command.js';
import type { Builder, Engine, ImageDescription, Limits } from './ports.js';
import type { ArtifactSpec, CleanupSpec, PlannedStep } from './plan.js';
import type { Session } from './session.js';
import type { StepReporter } from './step-reporter.js';

/** What is the same for every step of one build. */
export interface StepSettings {
  readonly engine: Engine;
  readonly session: Session;
  readonly builder: Builder;
  readonly workDirectory: string;
  readonly network: string;
  readonly limits: Limits;
  readonly removeContainers: boolean;
}

/** What a step takes from the steps before it and gives to those after it. */
export interface StepInput {
  /** Artifacts of all steps it depends on, directly or not, in the order of the plan. */
  readonly artifacts: readonly Artifact[];
  /** Whether anybody takes this step's artifacts. */
  readonly handsOff: boolean;
}

/**
 * Run one step. Its image is then tagged with the session's name for it, its artifacts are in the session.
 * @returns the image ID
 * @throws StepError where the user's files are at fault, EngineError where the engine is
 */
export async function runStep(
  step: PlannedStep,
  input: StepInput,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<string> {
  const imageId = await buildImage(step, input, settings, report, signal);
  const tag = settings.session.tagOf(step.label);
  const image = await settings.engine.describeImage(tag, signal);
  if (image === undefined) throw new EngineError(`the image of ${step.label} is gone right after its build`);
  if (step.cleanup !== undefined) await cleanUp(step.cleanup, image, tag, settings, report, signal);
  if (step.artifacts.length > 0) await takeArtifacts(step, input.handsOff, tag, settings, report, signal);
  if (step.command !== undefined) await runCommand(step.command, image, tag, settings, report, signal);
  if (step.afterBuildCommand !== undefined) {
    await runAfterBuildCommand(step, step.afterBuildCommand, imageId, settings, report, signal);
  }
  return imageId;
}

async function cleanUp(
  cleanup: CleanupSpec,
  image: ImageDescription,
  tag: string,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<void> {
  for (const command of cleanup.commands) {
    await runInImage('cleanup', command, image, tag, settings, report, signal);
  }
  throw new StepError({
    message: 'its cleanup ran, but what it removed cannot be squashed out of the image yet',
    output: [],
    hint: 'Pass --no-cleanup to build without cleanup and squash; the image then holds what cleanup would remove.',
  });
}

async function takeArtifacts(
  step: PlannedStep,
  handsOff: boolean,
  image: string,
  { session, network }: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<void> {
  report.phase('artifacts', `${step.artifacts.length} from ${step.imageName}`);
  const container = await session.createContainer(
    { image, command: ['artifacts'], network, limits: {} },
    signal,
  );
  try {
    for (const artifact of step.artifacts) {
      const archive = await openArtifact(artifact, (path) => container.archive(path, signal));
      if (handsOff) session.handOff(step.label, await spoolArtifact(archive, artifact, signal));
      else archive.destroy();
    }
  } finally {
    await container.remove();
  }
}

async function openArtifact(
  { source }: ArtifactSpec,
  open: (path: string) => Promise<Readable>,
): Promise<Readable> {
  try {
    return await open(source);
  } catch (error) {
    if (!(error instanceof EngineError) || error.status !== 404) throw error;
    throw new StepError(
      {
        message: `artifact ${source} is not in the image`,
        output: [],
        hint: 'Check the path: artifacts are taken from the built and cleaned image.',
      },
      error,
    );
  }
}

async function runCommand(
  command: string,
  image: ImageDescription,
  tag: string,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<void> {
  await runInImage('command', command, image, tag, settings, report, signal);
}

/** Run one command in a container of its own; a string goes through the image's SHELL, a list runs as it is. */
async function runInImage(
  phase: 'cleanup' | 'command',
  command: string | readonly string[],
  image: ImageDescription,
  tag: string,
  { session, network, limits }: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<void> {
  const words = typeof command === 'string' ? [...(image.shell ?? ['/bin/sh', '-c']), command] : command;
  const text = typeof command === 'string' ? command : command.join(' ');
  const output = report.command(phase, text);
  const container = await session.createContainer(
    { image: tag, entrypoint: words.slice(0, 1), command: words.slice(1), network, limits },
    signal,
  );
  try {
    output.finished(await container.run(output.line, signal));
  } finally {
    await container.remove();
  }
}

async function runAfterBuildCommand(
  step: PlannedStep,
  command: string,
  imageId: string,
  { session, workDirectory }: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<void> {
  const output = report.command('after_build_command', command);
  const environment = {
    HABITUS_SESSION: session.id,
    HABITUS_STEP: step.label,
    HABITUS_IMAGE: session.tagOf(step.label),
    HABITUS_IMAGE_ID: imageId,
  };
  output.finished(await runHostCommand(command, workDirectory, environment, output.line, signal));
}

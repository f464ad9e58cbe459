/** One step: build → cleanup and squash → artifacts → command → after_build_command. */
import type { Readable } from 'node:stream';
import { spoolArtifact, type Artifact } from '../tar/artifact.js';
import { deferArtifact } from '../tar/deferred-artifact.js';
import { EngineError, StepError } from './errors.js';
import { runHostCommand } from './host-command.js';
import type { SessionMemory, WorkingFate } from './memory.js';
import type { Builder, Engine, EngineContainer, ImageDescription, Limits } from './ports.js';
import type { ArtifactSpec, PlannedStep } from './plan.js';
import type { BuildSecrets } from './secrets.js';
import type { Session } from './session.js';
import { isMissingProgram, wordsOf } from './shell.js';
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
  /** Leave BuildKit's cache of what a squash removed. */
  readonly keepBuildCache: boolean;
  readonly secrets: BuildSecrets;
  readonly memory?: Pick<SessionMemory, 'listed' | 'contextSent'>;
}

/** A step that has ended, with what it has handed off. */
export interface Producer {
  readonly step: string;
  readonly imageId: string;
  readonly artifacts: readonly Artifact[];
}

/** What a step takes from the steps before it and gives to those after it. */
export interface StepInput {
  /** All steps with artifacts that it depends on, directly or not, in the order of the plan. */
  readonly producers: readonly Producer[];
  readonly handOff: HandOff;
}

/**
 * What of a step's artifacts goes on: `contents` where a context holds them whole, `list` where a builder asks for what it needs,
 * which is mostly nothing, since it copies out of the image.
 */
export type HandOff = 'nothing' | 'list' | 'contents';

/**
 * Run one step. Its image is then tagged with the session's name for it, its artifacts are in the session.
 * @returns the image ID
 * @throws StepError where the user's files are at fault, EngineError where the engine is
 */
export async function runStep(
  step: PlannedStep,
  fate: WorkingFate,
  input: StepInput,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<string> {
  const imageId = await makeImage(step, fate, input, settings, report, signal);
  const tag = settings.session.tagOf(step.label);
  const takes = step.artifacts.length > 0 && (fate.kind === 'build' || input.handOff !== 'nothing');
  if (takes) await takeArtifacts(step, input.handOff, tag, settings, report, signal);
  const leavesOut = fate.kind === 'reuse' && fate.command === 'left out';
  if (step.command !== undefined && !leavesOut)
    await runCommand(step, step.command, settings, report, signal);
  if (step.afterBuildCommand !== undefined) {
    await runAfterBuildCommand(step, step.afterBuildCommand, imageId, settings, report, signal);
  }
  return imageId;
}

/** Build, clean and squash it; the session has given its name to an image that is reused. @returns the image ID */
async function makeImage(
  step: PlannedStep,
  fate: WorkingFate,
  input: StepInput,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<string> {
  if (fate.kind === 'reuse') return fate.imageId;
  const since = Date.now();
  // What builds and squashes is loaded by the first step that needs it.
  const { buildImage } = await import('./build-image.js');
  const id = await buildImage(step, input, settings, report, signal);
  settings.session.hold(step.label);
  if (step.cleanup === undefined && step.squash === undefined) return id;
  const built = await describeStep(step, settings, signal);
  const { reduceImage } = await import('./reduce-image.js');
  return reduceImage(step, built, since, settings, report, signal);
}

/** The image of a step in this session. */
async function describeStep(
  { label }: PlannedStep,
  { engine, session }: StepSettings,
  signal: AbortSignal,
): Promise<ImageDescription> {
  const image = await engine.describeImage(session.tagOf(label), signal);
  if (image === undefined) throw new EngineError(`the image of ${label} is gone from the engine`);
  return image;
}

async function takeArtifacts(
  step: PlannedStep,
  handOff: HandOff,
  image: string,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<void> {
  const { session } = settings;
  report.phase('artifacts', `${step.artifacts.length} from ${step.imageName}`);
  const container = await createArtifactContainer(image, settings, signal);
  try {
    for (const artifact of step.artifacts) {
      const archive = await openArtifact(artifact, (path) => container.archive(path, signal));
      switch (handOff) {
        case 'nothing':
          archive.destroy();
          break;
        case 'list': {
          const fetch = (later: AbortSignal) => fetchArtifact(artifact, image, settings, later);
          session.handOff(step.label, await deferArtifact(archive, artifact, fetch, signal));
          break;
        }
        case 'contents':
          session.handOff(step.label, await spoolArtifact(archive, artifact, signal));
          break;
      }
    }
  } finally {
    await container.remove();
  }
}

function createArtifactContainer(
  image: string,
  { session, network }: StepSettings,
  signal: AbortSignal,
): Promise<EngineContainer> {
  return session.createContainer({ image, command: ['artifacts'], network, limits: {} }, signal);
}

/** Take an artifact of a step that has ended; its image has the session's name until the session ends. */
async function fetchArtifact(
  artifact: ArtifactSpec,
  image: string,
  settings: StepSettings,
  signal: AbortSignal,
): Promise<Readable> {
  const container = await createArtifactContainer(image, settings, signal);
  // Where this fails, disposing the session tries again and tells.
  const remove = () => void container.remove().catch(() => undefined);
  try {
    const archive = await openArtifact(artifact, (path) => container.archive(path, signal));
    archive.once('close', remove);
    return archive;
  } catch (error) {
    remove();
    throw error;
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

/** Run the step's command in a container of its own. */
async function runCommand(
  step: PlannedStep,
  command: string,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<void> {
  const { session, network, limits } = settings;
  const words = wordsOf(command, await describeStep(step, settings, signal));
  const output = report.command('command', command);
  const container = await session.createContainer(
    {
      image: session.tagOf(step.label),
      entrypoint: words.slice(0, 1),
      command: words.slice(1),
      network,
      limits,
    },
    signal,
  );
  try {
    output.finished(await container.run(output.line, signal));
  } catch (error) {
    if (!isMissingProgram(error)) throw error;
    throw new StepError(
      {
        message: `command "${command}" needs a shell, but the image has no ${words[0] ?? 'shell'}`,
        instruction: command,
        output: [],
        hint: 'Run it in a step of its own, with an image that has a shell and takes what is needed as an artifact.',
      },
      error,
    );
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

/** Builds the image of one step: its context with the artifacts it takes, its Dockerfile with the session's names. */
import type { RedirectedCopy } from '../dockerfile/copy-sources.js';
import { redirect } from '../dockerfile/rewrite.js';
import { compileIgnore } from '../tar/ignore.js';
import { createContext } from '../tar/overlay.js';
import { rootOwned } from '../tar/root-owned.js';
import { copiesFromImages } from './artifact-copies.js';
import { StepError } from './errors.js';
import type { PlannedDockerfile, PlannedStep } from './plan.js';
import type { BuilderEvent, BuildRequest } from './ports.js';
import type { Session } from './session.js';
import type { StepReporter } from './step-reporter.js';
import type { StepInput, StepSettings } from './step.js';

/**
 * Build one step and tag it with the session's name for it.
 * @returns the image ID
 * @throws StepError whose texts name other steps' images as the user's Dockerfile does
 */
export async function buildImage(
  step: PlannedStep,
  input: StepInput,
  { engine, session, builder, workDirectory, network, limits, removeContainers }: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<string> {
  report.phase('build');
  const { ignore } = step.dockerfile;
  const copies =
    builder === 'classic' ? await copiesFromSteps(step, input, workDirectory, session, signal) : [];
  const { dockerfile, asWritten } = redirected(step.dockerfile, copies, session);
  const context = createContext({
    directory: step.context,
    workDirectory,
    artifacts: input.producers.flatMap(({ artifacts }) => artifacts),
    ...(ignore !== undefined && { ignore: compileIgnore(ignore) }),
  });
  const request: BuildRequest = {
    builder,
    context: builder === 'classic' ? rootOwned(context) : context,
    // BuildKit takes a file of the same size and time for the one it was sent before: for files of a folder that holds,
    // for artifacts of another image it need not.
    contextKey: [step.context, ...input.producers.map(({ imageId }) => imageId)].join('\n'),
    dockerfile,
    tag: session.tagOf(step.label),
    ...(step.target !== undefined && { target: step.target }),
    args: step.args,
    noCache: step.noCache,
    network,
    limits,
    removeContainers,
    secrets: new Map(),
    ssh: step.ssh,
  };
  const onEvent = (event: BuilderEvent): void => {
    report.builder(event, asWritten);
  };
  try {
    return await engine.build(request, onEvent, signal);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    const { message, instruction, output } = error.failure;
    throw new StepError(
      {
        ...error.failure,
        message: asWritten(message),
        output: output.map(asWritten),
        ...(instruction !== undefined && { instruction: asWritten(instruction) }),
      },
      error,
    );
  }
}

/** What `COPY` of artifacts becomes for the classic builder, which keeps their owners only from an image. */
function copiesFromSteps(
  step: PlannedStep,
  { producers }: StepInput,
  workDirectory: string,
  session: Session,
  signal: AbortSignal,
): Promise<readonly RedirectedCopy[]> {
  const taken = producers.map(({ step: label, artifacts }) => ({ image: session.tagOf(label), artifacts }));
  return copiesFromImages(step, workDirectory, taken, signal);
}

/** The Dockerfile with the session's names in place of those of other steps, and what turns texts about it back. */
function redirected(
  { content, references }: PlannedDockerfile,
  copies: readonly RedirectedCopy[],
  session: Session,
): { readonly dockerfile: Buffer; readonly asWritten: (text: string) => string } {
  const changes = references.map(({ start, end, label }) => ({ start, end, text: session.tagOf(label) }));
  // Copies first: what was built of them holds the tags of steps too.
  const told = [
    ...copies,
    ...changes.map(({ start, end, text }) => ({
      built: text,
      written: content.toString('utf8', start, end),
    })),
  ];
  return {
    dockerfile: redirect(content, [...changes, ...copies.flatMap(({ replacements }) => replacements)]),
    asWritten: (text) =>
      told.reduce((read, { built, written }) => read.replaceAll(built, () => written), text),
  };
}

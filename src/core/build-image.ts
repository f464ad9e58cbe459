/** Builds the image of one step: its context with the artifacts it takes, its Dockerfile with the session's names, its secrets. */
import type { RedirectedCopy } from '../dockerfile/copy-sources.js';
import { digestSecretMounts, type DigestedMounts } from '../dockerfile/mounts.js';
import { redirect } from '../dockerfile/rewrite.js';
import { compileIgnore } from '../tar/ignore.js';
import { createContext, type FolderContext } from '../tar/overlay.js';
import { rootOwned } from '../tar/root-owned.js';
import { copiesFromImages } from './artifact-copies.js';
import { ContextUse } from './context-use.js';
import { StepError } from './errors.js';
import type { PlannedDockerfile, PlannedStep } from './plan.js';
import type { BuilderEvent, BuildRequest } from './ports.js';
import type { Session } from './session.js';
import { shortInstruction } from './short-instruction.js';
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
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<string> {
  report.phase('build');
  const { request, context, asWritten } = await requestFor(step, input, settings, signal);
  using use = new ContextUse(() => settings.memory?.contextSent(step.label, !context.isListedAnew));
  const onEvent = (event: BuilderEvent): void => {
    switch (event.type) {
      case 'made':
        settings.session.note(event.made);
        break;
      case 'context-sent':
        use.sent();
        break;
      case 'instruction':
        use.see(event.instruction);
        report.builder(event, asWritten);
        break;
      case 'output':
      case 'warning':
        report.builder(event, asWritten);
    }
  };
  try {
    const id = await buildServed(step, request, settings, onEvent, signal);
    use.built();
    return id;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    const { message, instruction = '', output } = error.failure;
    // Cut to length it may end within what is to be written otherwise.
    const short = shortInstruction(instruction);
    const rest = message.startsWith(short) ? message.slice(short.length) : undefined;
    throw new StepError(
      {
        ...error.failure,
        message:
          rest === undefined
            ? asWritten(message)
            : `${shortInstruction(asWritten(instruction))}${asWritten(rest)}`,
        output: output.map(asWritten),
        ...(instruction !== '' && { instruction: asWritten(instruction) }),
      },
      error,
    );
  }
}

/** While it is built its secrets are served; with credentials that turn out to be needed, it is built again. */
async function buildServed(
  step: PlannedStep,
  request: BuildRequest,
  { engine, secrets }: StepSettings,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<string> {
  for (let fresh = false; ; fresh = true) {
    await using served = await secrets.service.serve(step, secrets.of(step.label), fresh);
    const { stale } = served;
    const args = { ...request.args, ...served.args };
    try {
      const id = await engine.build({ ...request, args }, onEvent, AbortSignal.any([signal, stale]));
      // A RUN that goes on without its secret has built something else.
      if (stale.aborted && !fresh) continue;
      await served.built();
      return id;
    } catch (error) {
      signal.throwIfAborted();
      if (!stale.aborted || fresh) throw error;
    }
  }
}

interface Prepared {
  readonly request: BuildRequest;
  readonly context: FolderContext;
  /** Turns texts about the built Dockerfile into such about the user's. */
  readonly asWritten: (text: string) => string;
}

async function requestFor(
  step: PlannedStep,
  input: StepInput,
  settings: StepSettings,
  signal: AbortSignal,
): Promise<Prepared> {
  const { session, builder, workDirectory, network, limits, removeContainers, secrets } = settings;
  const { ignore } = step.dockerfile;
  const copies = await copiesFromSteps(step, input, workDirectory, session, signal);
  const declared = new Map(secrets.of(step.label).map((secret) => [secret.name, secret]));
  const mounts = digestSecretMounts(
    step.dockerfile.content,
    new Map(Array.from(declared, ([name, { digest }]) => [name, digest.slice(0, SHOWN_DIGEST)])),
  );
  const takenFrom = input.producers.map(({ step: label }) => label);
  const { dockerfile, asWritten } = redirected(step.dockerfile, copies, takenFrom, mounts, session);
  const listed = settings.memory?.listed(step.label);
  const context = createContext({
    directory: step.context,
    ...(listed !== undefined && { listed }),
    workDirectory,
    artifacts: input.producers.flatMap(({ artifacts }) => artifacts),
    ...(ignore !== undefined && { ignore: compileIgnore(ignore) }),
  });
  const values = Array.from(declared, ([name, { value }]) => [name, value] as const);
  const digested = Array.from(mounts.ids, ([id, name]) => [id, declared.get(name)?.value ?? NONE] as const);
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
    secrets: new Map([...values, ...digested]),
    ssh: step.ssh,
  };
  return { request, context, asWritten };
}

/** Characters of a digest in a mount's id: enough to tell a changed secret. */
const SHOWN_DIGEST = 12;
const NONE = Buffer.alloc(0);

/**
 * What `COPY` of artifacts becomes: the classic builder keeps their owners only from an image, and BuildKit copies them inside
 * the engine, where no byte of them has to come back.
 */
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
  takenFrom: readonly string[],
  mounts: DigestedMounts,
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
    ...mounts.inserted.map((built) => ({ built, written: '' })),
    // BuildKit tells lists in its own way, and of each image that it copies from.
    ...takenFrom.flatMap((label) => [
      { built: ` --from=${session.tagOf(label)}`, written: '' },
      { built: session.tagOf(label), written: label },
    ]),
  ];
  return {
    dockerfile: redirect(content, [
      ...changes,
      ...mounts.replacements,
      ...copies.flatMap(({ replacements }) => replacements),
    ]),
    asWritten: (text) =>
      told.reduce((read, { built, written }) => read.replaceAll(built, () => written), text),
  };
}

/** Runs the cleanup commands of a step in its image, and makes an image of what they left. */
import { StepError } from './errors.js';
import type { CleanupSpec } from './plan.js';
import type { ContainerRequest, EngineContainer, ImageDescription } from './ports.js';
import { isMissingProgram, textOf, wordsOf } from './shell.js';
import type { StepReporter } from './step-reporter.js';
import type { StepSettings } from './step.js';

interface CleanupRequest {
  readonly cleanup: CleanupSpec;
  /** What was built. */
  readonly image: ImageDescription;
  /** Of the step; the images have the session's names for it. */
  readonly label: string;
}

/**
 * All commands run in one container, which the image's shell keeps alive. An image without a shell has nothing that could
 * wait, so there each command has a container of its own, on the image that the one before left.
 * @returns the name of the cleaned image
 * @throws StepError for the first command that fails; no image is made then
 */
export async function cleanUp(
  request: CleanupRequest,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<string> {
  const { cleanup, image, label } = request;
  const { session } = settings;
  if (image.volumes.length > 0) {
    report.notice(`cleanup cannot change what lies in a VOLUME of the image: ${image.volumes.join(', ')}`);
  }
  // `read` is part of every POSIX shell and waits for a standard input that stays empty.
  const wait = wordsOf('read -r _', image);
  const container = await createContainer(
    session.tagOf(label),
    { words: wait, holdOpen: true },
    request,
    settings,
    signal,
  );
  try {
    if (!(await startsShell(container, signal)))
      return await cleanUpWithoutShell(request, settings, report, signal);
    for (const command of cleanup.commands) {
      const output = report.command('cleanup', textOf(command));
      output.finished(await container.exec({ command: wordsOf(command, image) }, output.line, signal));
    }
    const cleaned = session.cleanedTagOf(label);
    await container.commit(cleaned, signal);
    return cleaned;
  } finally {
    await container.remove();
  }
}

async function startsShell(container: EngineContainer, signal: AbortSignal): Promise<boolean> {
  try {
    await container.start(signal);
    return true;
  } catch (error) {
    if (isMissingProgram(error)) return false;
    throw error;
  }
}

async function cleanUpWithoutShell(
  request: CleanupRequest,
  settings: StepSettings,
  report: StepReporter,
  signal: AbortSignal,
): Promise<string> {
  const { cleanup, image, label } = request;
  const { session } = settings;
  let tag = session.tagOf(label);
  for (const [index, command] of cleanup.commands.entries()) {
    if (typeof command === 'string') {
      throw new StepError({
        message: `cleanup command "${command}" needs a shell, but the image has no ${wordsOf('', image)[0] ?? 'shell'}`,
        instruction: command,
        output: [],
        hint: 'Write it as a list, e.g. ["/bin/tool", "argument"], with a program that the image has.',
      });
    }
    const output = report.command('cleanup', textOf(command));
    const container = await createContainer(
      tag,
      { words: command, holdOpen: false },
      request,
      settings,
      signal,
    );
    try {
      output.finished(await container.run(output.line, signal));
      tag = session.cleanedTagOf(label, index + 1);
      await container.commit(tag, signal);
    } finally {
      await container.remove();
    }
  }
  return tag;
}

function createContainer(
  image: string,
  { words, holdOpen }: { readonly words: readonly string[]; readonly holdOpen: boolean },
  { cleanup }: CleanupRequest,
  { session, network, limits }: StepSettings,
  signal: AbortSignal,
): Promise<EngineContainer> {
  const request: Omit<ContainerRequest, 'labels'> = {
    image,
    entrypoint: words.slice(0, 1),
    command: words.slice(1),
    holdOpen,
    ...(cleanup.user !== undefined && { user: cleanup.user }),
    network: cleanup.network ?? network,
    limits,
  };
  return session.createContainer(request, signal);
}

/** What builds by BuildKit have in common: the request, what is told of it, and how it is stopped. */
import type { BuilderEvent, BuildRequest } from '../core/ports.js';
import { AtWork } from './at-work.js';
import { BuildKitOutput, type BuildKitMessage } from './buildkit-output.js';
import { BuildKitStop } from './buildkit-stop.js';
import type { BuildConnection } from './classic.js';
import { postBuild, type BuildPost } from './post-build.js';

export interface BuiltByBuildKit {
  /** As the builder announces it, if it does. */
  readonly imageId: string | undefined;
}

/** What is told of one build, and which instruction is at work. */
export class Progress {
  readonly atWork = new AtWork();
  readonly output: BuildKitOutput;

  constructor(onEvent: (event: BuilderEvent) => void) {
    this.output = new BuildKitOutput((event) => {
      this.atWork.see(event);
      onEvent(event);
    });
  }
}

export interface SendListener {
  readonly progress: Progress;
  /** Told when the whole body has been read. */
  readonly onSent?: () => void;
}

/**
 * @param post is given the signal that cuts the connection
 * @throws StepError, EngineError, UsageError when the context cannot be read, or the signal's reason
 */
export async function send(
  { transport, remover }: Pick<BuildConnection, 'transport' | 'remover'>,
  { tag }: BuildRequest,
  post: (cut: AbortSignal) => BuildPost,
  { progress: { output, atWork }, onSent = () => undefined }: SendListener,
  signal: AbortSignal,
): Promise<BuiltByBuildKit> {
  using stop = new BuildKitStop(transport, signal);
  try {
    const { query, ...rest } = post(stop.cut);
    await postBuild(
      transport,
      { ...rest, query: { ...query, version: '2', buildid: stop.buildId } },
      { onMessage: (message) => output.message(message as BuildKitMessage), onSent, atWork },
      stop.cut,
    );
    signal.throwIfAborted();
    return { imageId: output.imageId };
  } catch (error) {
    if (!signal.aborted) throw error;
    // It may have got its name before it heard of the end. Who disposes the session tells what is left.
    await remover.remove(tag, { noPrune: true }).catch(() => undefined);
    throw signal.reason;
  }
}

/** A build by the classic builder: a tar goes up, its talk comes back, and what a failure left is cleared away. */
import { StepError } from '../core/errors.js';
import type { BuilderEvent, BuildRequest } from '../core/ports.js';
import { packContext } from '../tar/pack.js';
import { AtWork } from './at-work.js';
import type { RegistryAuth } from './auth.js';
import { ClassicOutput, type ClassicMessage } from './classic-output.js';
import { removeRunContainer } from './containers.js';
import type { ImageRemover } from './image-remover.js';
import { GentleStop } from './gentle-stop.js';
import { buildQuery, postBuild, type BuildListener } from './post-build.js';
import type { Transport } from './transport.js';
import { unlessAborted } from '../core/unless-aborted.js';
import { saysOrphaned, saysVanished } from './vanished.js';

export interface BuildConnection {
  readonly transport: Transport;
  readonly auth: RegistryAuth;
  readonly remover: ImageRemover;
}

export interface ClassicBuild {
  /** Images may be left that nobody was told of: see `removeOrphans`. */
  readonly hasOrphans: boolean;
}

/**
 * @throws StepError when the build fails, EngineError when the engine cannot be reached, the signal's reason when aborted;
 *   what the build left behind is removed before
 */
export async function buildClassic(
  connection: BuildConnection,
  request: BuildRequest,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<ClassicBuild> {
  let hasOrphans = false;
  for (let tries = 1; ; tries += 1) {
    const failed = await attempt(connection, request, onEvent, signal);
    if (failed === undefined) return { hasOrphans };
    if (tries === TRIES || !hasVanished(failed)) throw failed.error;
    hasOrphans ||= saysOrphaned(failed.error.message);
    onEvent({
      type: 'warning',
      message: 'An image of an instruction vanished during the build: building once more',
    });
  }
}

/** Where many builds of one folder end while others begin, one in seven met it once on 28.5. */
const TRIES = 5;

interface Failed {
  readonly error: StepError;
  readonly output: ClassicOutput;
}

/** The images of instructions have no name while a build works: somebody may remove one between two instructions, or when it is looked for. */
function hasVanished({ error: { message }, output }: Failed): boolean {
  return saysVanished(message) || (MISSING.test(message) && (output.usedCache || output.namesImage(message)));
}

const MISSING = /No such image|failed to get destination image/i;

async function attempt(
  connection: BuildConnection,
  request: BuildRequest,
  onEvent: (event: BuilderEvent) => void,
  signal: AbortSignal,
): Promise<Failed | undefined> {
  const { remover } = connection;
  const atWork = new AtWork();
  const output = new ClassicOutput((event) => {
    atWork.see(event);
    onEvent(event);
  }, request.removeContainers);
  try {
    const onSent = (): void => {
      onEvent({ type: 'context-sent' });
    };
    await send(connection, request, { output, atWork, onSent }, signal);
    if (!signal.aborted) return undefined;
    // It was too late to stop it.
    await remover.remove(request.tag, { noPrune: true });
    throw signal.reason;
  } catch (error) {
    await removeLeftovers(connection, output);
    signal.throwIfAborted();
    if (error instanceof StepError) return { error, output };
    throw error;
  }
}

async function send(
  { transport, auth }: BuildConnection,
  request: BuildRequest,
  { output, ...listener }: Pick<BuildListener, 'atWork' | 'onSent'> & { readonly output: ClassicOutput },
  signal: AbortSignal,
): Promise<void> {
  const registryConfig = await unlessAborted(auth.registryConfigHeader(), signal);
  const { limits } = request;
  const stop = new GentleStop(transport, output, signal);
  const { body, dockerfile } = packContext(
    request.context,
    { type: 'generated', content: request.dockerfile },
    stop.cut,
  );
  stop.watch(body);
  const query = {
    ...buildQuery(request),
    version: '1',
    dockerfile,
    memory: limits.memory,
    cpusetcpus: limits.cpusetCpus,
    cpushares: limits.cpuShares,
  };
  const headers = registryConfig === undefined ? {} : { 'X-Registry-Config': registryConfig };
  const onMessage = (message: unknown): StepError | undefined => {
    const failure = output.message(message as ClassicMessage);
    stop.look();
    return failure;
  };
  try {
    await postBuild(transport, { query, headers, body }, { ...listener, onMessage }, stop.cut);
    output.end();
  } finally {
    stop.dispose();
  }
}

/**
 * Best effort, from the newest image to the oldest; what others use by now stays. What was found in the cache goes, too: whoever made it
 * may have been unable to remove it since this build used it.
 */
async function removeLeftovers(
  { transport, remover }: BuildConnection,
  output: ClassicOutput,
): Promise<void> {
  for (const id of output.openContainers) await removeRunContainer(transport, id).catch(() => undefined);
  await remover.removeNameless(output.images.toReversed(), { noPrune: true }).catch(() => undefined);
}

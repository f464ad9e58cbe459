/** `--pull`: before anything is built, the newest images of the registries come to the engine, each once. */
import pLimit from 'p-limit';
import { relative } from 'node:path';
import { baseImages } from './base-images.js';
import { EngineError, StepError } from './errors.js';
import type { Emit } from './events.js';
import type { Plan } from './plan.js';
import type { Engine } from './ports.js';

/** Engines fetch several layers of each at once. */
const PULLS_AT_ONCE = 3;

interface Wanted {
  readonly image: string;
  /** Where it is named first, e.g. `line 3 of app/Dockerfile`. */
  readonly place: string;
}

/**
 * Afterwards builders and fingerprints find what was pulled on the engine. What is named by a digest cannot change: it is
 * pulled only where it is missing. Image IDs are of no registry, and an image with a step's name is this plan's own.
 * @throws StepError where a registry does not give an image; the other pulls are stopped then
 * @throws EngineError, or the signal's reason
 */
export async function pullBases(plan: Plan, engine: Engine, emit: Emit, signal: AbortSignal): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const atOnce = pLimit(PULLS_AT_ONCE);
  const pulls = wantedImages(plan).map((wanted) =>
    atOnce(async () => {
      try {
        either.throwIfAborted();
        const message = await pull(wanted, engine, either);
        if (message !== undefined) emit({ at: Date.now(), type: 'notice', level: 'info', message });
      } catch (error) {
        // Before the next one gets its turn.
        failed.abort(error);
      }
    }),
  );
  // Nobody is left behind that still works.
  await Promise.all(pulls);
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
}

/** @returns what has become of it; `undefined` where nothing had to be done */
async function pull(
  { image, place }: Wanted,
  engine: Engine,
  signal: AbortSignal,
): Promise<string | undefined> {
  const before = await engine.describeImage(image, signal);
  if (before !== undefined && image.includes('@')) return undefined;
  try {
    await engine.archives.pullImage(image, signal);
  } catch (error) {
    if (!(error instanceof EngineError) || error.status === undefined) throw error;
    const why = error.message.replace(`The engine could not pull ${image}: `, '');
    throw new StepError(
      { message: `${image}, in ${place}, could not be pulled: ${why}`, output: [], hint: error.hint ?? HINT },
      error,
    );
  }
  const after = await engine.describeImage(image, signal);
  if (before === undefined) return `pulled ${image}`;
  return `pulled ${image}, which ${after?.id === before.id ? 'has not changed' : 'has changed'}`;
}

const HINT =
  'Check its name and the network; if it is private, log in with `docker login`. Without --pull an image that the engine has is used.';

function wantedImages({ steps, workDirectory }: Plan): readonly Wanted[] {
  const ours = new Set(steps.map(({ imageName }) => plainName(imageName)));
  const wanted = new Map<string, Wanted>();
  for (const step of steps) {
    for (const { image, line } of baseImages(step)) {
      if (wanted.has(image) || isId(image) || ours.has(plainName(image))) continue;
      wanted.set(image, { image, place: `line ${line} of ${relative(workDirectory, step.dockerfile.path)}` });
    }
  }
  return [...wanted.values()];
}

/** As the classic builder takes it for a base. */
function isId(image: string): boolean {
  return /^(?:sha256:)?[0-9a-f]{64}$/.test(image);
}

/** `x`, `x:latest` and `docker.io/library/x` mean the same image. */
function plainName(name: string): string {
  const tagged = name.includes(':', name.lastIndexOf('/') + 1) ? name : `${name}:latest`;
  return tagged.replace(/^(?:index\.)?docker\.io\/(?:library\/)?/, '');
}

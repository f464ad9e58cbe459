/** Gives names to images, all or none, and removes images that nobody can name any more. */
import { EngineError } from './errors.js';
import type { Engine } from './ports.js';

export interface Naming {
  readonly imageId: string;
  /** `repository:tag`. */
  readonly name: string;
}

export interface NameChange extends Naming {
  /** The image that had the name before. */
  readonly previous: string | undefined;
}

/** What is not as wanted yet. */
export async function nameChanges(
  engine: Engine,
  wanted: readonly Naming[],
  signal?: AbortSignal,
): Promise<readonly NameChange[]> {
  const found = await engine.findNames(
    wanted.map(({ name }) => name),
    signal,
  );
  return wanted
    .map(({ imageId, name }) => ({ imageId, name, previous: found.get(name) }))
    .filter(({ imageId, previous }) => previous !== imageId);
}

/** @throws EngineError when a name could not be given; the names given before it have been taken back then */
export async function nameAll(engine: Engine, wanted: readonly NameChange[]): Promise<readonly NameChange[]> {
  const done: NameChange[] = [];
  try {
    for (const change of wanted) {
      // Before: where the answer is lost, it may have got the name all the same.
      done.push(change);
      await engine.tagImage(change.imageId, change.name);
    }
    return done;
  } catch (error) {
    const stuck = await takeBack(engine, done);
    if (stuck.length === 0) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new EngineError(`${why}, and ${stuck.join(', ')} could not be taken back`, {
      cause: error,
      hint: 'These names have new images, the others do not: try again once the engine works.',
    });
  }
}

/** Tries every name, whatever fails. @returns the names that keep their new image */
async function takeBack(engine: Engine, done: readonly NameChange[]): Promise<readonly string[]> {
  const stuck: string[] = [];
  for (const { name, previous } of done) {
    const back = previous === undefined ? engine.removeImage(name) : engine.tagImage(previous, name);
    await back.catch(() => stuck.push(name));
  }
  return stuck;
}

/** Without force: what a container or another image uses stays. @returns whether it is gone by this */
export async function removeIfNameless(
  engine: Engine,
  imageId: string,
  removal: { readonly noPrune?: boolean } = {},
): Promise<boolean> {
  const image = await engine.describeImage(imageId);
  if (image?.names.length !== 0) return false;
  await engine.removeImage(imageId, { ...removal, force: false });
  return (await engine.describeImage(imageId)) === undefined;
}

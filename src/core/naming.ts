/** Gives names to images, all or none, and removes images that nobody can name any more. */
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
export async function nameChanges(engine: Engine, wanted: readonly Naming[]): Promise<readonly NameChange[]> {
  const found = await Promise.all(
    wanted.map(async ({ imageId, name }) => ({
      imageId,
      name,
      previous: (await engine.describeImage(name))?.id,
    })),
  );
  return found.filter(({ imageId, previous }) => previous !== imageId);
}

/** @throws EngineError when a name could not be given; the names given before it have been taken back then */
export async function nameAll(engine: Engine, wanted: readonly NameChange[]): Promise<readonly NameChange[]> {
  const done: NameChange[] = [];
  try {
    for (const change of wanted) {
      await engine.tagImage(change.imageId, change.name);
      done.push(change);
    }
    return done;
  } catch (error) {
    for (const { name, previous } of done) {
      if (previous === undefined) await engine.removeImage(name);
      else await engine.tagImage(previous, name);
    }
    throw error;
  }
}

/** Without force: what a container or another image uses stays. */
export async function removeIfNameless(
  engine: Engine,
  imageId: string,
  removal: { readonly noPrune?: boolean } = {},
): Promise<void> {
  const image = await engine.describeImage(imageId);
  if (image?.names.length === 0) await engine.removeImage(imageId, { ...removal, force: false });
}

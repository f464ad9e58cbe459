/** Gives names to images, all or none, and removes images that nobody can name any more. */
import pLimit from 'p-limit';
import { CALLS_AT_ONCE } from './calls-at-once.js';
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
  return changesFrom(found, wanted);
}

/** @param found image IDs by name, of those that an image has */
export function changesFrom(
  found: ReadonlyMap<string, string>,
  wanted: readonly Naming[],
): readonly NameChange[] {
  return wanted
    .map(({ imageId, name }) => ({ imageId, name, previous: found.get(name) }))
    .filter(({ imageId, previous }) => previous !== imageId);
}

/** @throws EngineError when a name could not be given; the names given before it have been taken back then */
export async function nameAll(engine: Engine, wanted: readonly NameChange[]): Promise<void> {
  const atOnce = pLimit(CALLS_AT_ONCE);
  const tried: NameChange[] = [];
  let hasFailed = false;
  const names = wanted.map((change) =>
    atOnce(async () => {
      if (hasFailed) return;
      // Before: where the answer is lost, it may have got the name all the same.
      tried.push(change);
      try {
        await engine.tagImage(change.imageId, change.name);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }),
  );
  try {
    await Promise.all(names);
  } catch (error) {
    await Promise.allSettled(names);
    const stuck = await takeBack(engine, tried);
    if (stuck.length === 0) throw error;
    throw new EngineError(`${messageOf(error)}, and ${stuck.join(', ')} could not be taken back`, {
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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a container or another image uses stays. */
export async function removeIfNameless(engine: Engine, imageId: string): Promise<void> {
  const { failed } = await engine.removeNameless([imageId]);
  for (const error of failed.values()) throw error;
}

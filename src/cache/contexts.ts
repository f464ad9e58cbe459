/** The contexts of one session: each is listed once however many steps build from it, and contents are remembered. */
import { createHash } from 'node:crypto';
import { compileIgnore } from '../tar/ignore.js';
import { digestContext, type ContextDigest } from './context-digest.js';
import { FileStates } from './file-states.js';
import { StatCache } from './stat-cache.js';
import type { CacheStore } from './store.js';

/** A context as the plan has it. */
export interface PlannedContext {
  /** Absolute. */
  readonly directory: string;
  /** Content of the ignore file, as in PlannedDockerfile. */
  readonly ignore?: string;
  /** See `artifactParents`. */
  readonly parents?: readonly string[];
}

export class Contexts {
  readonly #store: CacheStore;
  /** By folder. */
  readonly #known = new Map<string, Promise<StatCache>>();
  /** By everything that makes a PlannedContext. */
  readonly #digests = new Map<string, Promise<ContextDigest>>();

  constructor(store: CacheStore) {
    this.#store = store;
  }

  /**
   * As `digestContext`, once for each context: later calls get the first one's answer.
   * @param signal the session's, not a step's
   */
  digest(context: PlannedContext, signal: AbortSignal): Promise<ContextDigest> {
    const key = keyOf(context);
    const digest = this.#digests.get(key) ?? this.#digest(context, signal);
    this.#digests.set(key, digest);
    return digest;
  }

  /**
   * Which contexts nobody has touched since their `digest`: only what was built from these may be recorded under it. Call it
   * when the last of the steps has been built.
   * @param contexts those that something was built from
   * @returns those of them that kept still; one that cannot be read did not
   */
  async untouched(
    contexts: readonly PlannedContext[],
    signal: AbortSignal,
  ): Promise<readonly PlannedContext[]> {
    const still = new Map<string, boolean>();
    for (const context of contexts) {
      const key = keyOf(context);
      if (still.has(key)) continue;
      const before = await orNone(this.#digests.get(key));
      const after = before && (await orNone(this.#digest(context, signal)));
      signal.throwIfAborted();
      still.set(key, before !== undefined && before.stamp === after?.stamp);
    }
    return contexts.filter((context) => still.get(keyOf(context)));
  }

  /** Keep what is known of contents for the next session; after `untouched`, which learns more. */
  async save(): Promise<void> {
    for (const [directory, known] of this.#known) {
      const cache = await known;
      if (cache.learned) await this.#store.write('contents', nameOf(directory), cache.encode());
    }
  }

  async #digest(context: PlannedContext, signal: AbortSignal): Promise<ContextDigest> {
    const { directory, ignore, parents = [] } = context;
    const known = this.#known.get(directory) ?? this.#load(directory);
    this.#known.set(directory, known);
    return digestContext(
      { directory, parents, ...(ignore !== undefined && { ignore: compileIgnore(ignore) }) },
      await known,
      signal,
    );
  }

  async #load(directory: string): Promise<StatCache> {
    return StatCache.decode(await this.#store.read('contents', nameOf(directory)));
  }
}

/** Keep what a context held, for a later session to tell what has changed. */
export async function keepFiles(store: CacheStore, { digest, files }: ContextDigest): Promise<void> {
  if (!(await store.has('contexts', digest))) await store.write('contexts', digest, files().encode());
}

/** @param digest as in ContextDigest; `undefined` where it is not kept, or not any more */
export async function keptFiles(store: CacheStore, digest: string): Promise<FileStates | undefined> {
  const encoded = await store.read('contexts', digest);
  return encoded && FileStates.decode(encoded);
}

async function orNone(digest: Promise<ContextDigest> | undefined): Promise<ContextDigest | undefined> {
  return digest?.catch(() => undefined);
}

function keyOf({ directory, ignore, parents = [] }: PlannedContext): string {
  return JSON.stringify([directory, ignore ?? null, parents]);
}

function nameOf(directory: string): string {
  return createHash('sha256').update(directory).digest('hex');
}

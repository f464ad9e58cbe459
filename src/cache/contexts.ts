/** The contexts of one session: each is listed once however many steps build from it, and contents are remembered. */
import { createHash } from 'node:crypto';
import { monotonic } from '../clock.js';
import { compileIgnore } from '../tar/ignore.js';
import type { ListedFolder } from '../tar/listed.js';
import {
  isUntouched,
  listContext,
  type ContextDigest,
  type ContextListing,
  type ListingOptions,
} from './context-digest.js';
import { FileStates } from './file-states.js';
import { isAsListed } from './recheck.js';
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

interface Listed {
  readonly folder: ListedFolder;
  /** By the clock of `monotonic`. */
  readonly at: number;
}

/** How long a list is good for a build: who changes a file then could have done so while it was listed. In milliseconds. */
const FRESH = 1_000;

export class Contexts {
  readonly #store: CacheStore;
  /** By folder. */
  readonly #known = new Map<string, Promise<StatCache>>();
  /** By everything that makes a PlannedContext: what was found first. */
  readonly #firsts = new Map<string, Promise<ContextListing>>();
  /** What was found, as long as it may be what there is. */
  readonly #listed = new Map<string, Listed>();
  /** What was found when all had been read; `undefined`: it had not kept still. */
  readonly #looks = new Map<string, Promise<ContextDigest | undefined>>();
  /** By folder: how much was known when it was saved. */
  readonly #saved = new Map<string, number>();

  constructor(store: CacheStore) {
    this.#store = store;
  }

  /**
   * As `listContext`, once for each context: later calls get the first one's answer.
   * @param signal the session's, not a step's
   * @returns `undefined` where contents were left for later: then `untouched` gives it
   */
  async list(
    context: PlannedContext,
    readsContents: ListingOptions['readsContents'],
    signal: AbortSignal,
  ): Promise<ContextDigest | undefined> {
    const key = keyOf(context);
    const first = this.#firsts.get(key) ?? this.#listFirst(key, context, readsContents, signal);
    this.#firsts.set(key, first);
    return (await first).digest;
  }

  /** A context as it is by now, where it has just been listed. */
  listed(context: PlannedContext): ListedFolder | undefined {
    const key = keyOf(context);
    const listed = this.#listed.get(key);
    if (listed !== undefined && monotonic() < listed.at + FRESH) return listed.folder;
    this.#listed.delete(key);
    return undefined;
  }

  /** Nobody will ask for any lists but these. */
  keepListed(keys: { has(key: string): boolean }): void {
    for (const key of this.#listed.keys()) if (!keys.has(key)) this.#listed.delete(key);
  }

  /**
   * Look once more whether anybody has touched it since it was listed first: for now, everything that was to be read of it has
   * been. Reads the contents that were left for later. Keeps what is known of one that kept still.
   * @param asListed whether all builders were given the list that was made first: what has come since then is in no image
   */
  lookAgain(context: PlannedContext, asListed: boolean, signal: AbortSignal): void {
    const key = keyOf(context);
    this.#listed.delete(key);
    this.#looks.set(key, this.#digestUntouched(key, context, asListed, signal));
  }

  /**
   * Which contexts nobody has touched between their first listing and the last reading: only what was built from these may be
   * recorded, under their digests. Those that were not looked at again are looked at now: call it when the last of the steps has
   * been built.
   * @param contexts those that something was built from
   * @returns those of them that kept still; one that cannot be read did not
   */
  async untouched(
    contexts: readonly PlannedContext[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<PlannedContext, ContextDigest>> {
    const still = new Map<PlannedContext, ContextDigest>();
    for (const context of contexts) {
      if (!this.#looks.has(keyOf(context))) this.lookAgain(context, false, signal);
      const digest = await this.#looks.get(keyOf(context));
      if (digest !== undefined) still.set(context, digest);
      signal.throwIfAborted();
    }
    return still;
  }

  /** When no look that was begun is going on any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#looks.values());
  }

  /** Keep what is known of contents for the next session; after `untouched`, which learns more. */
  async save(): Promise<void> {
    for (const directory of this.#known.keys()) await this.#save(directory);
  }

  async #save(directory: string): Promise<void> {
    const known = await this.#known.get(directory);
    if (known === undefined || known.learned === 0 || known.size === this.#saved.get(directory)) return;
    this.#saved.set(directory, known.size);
    await this.#store.write('contents', nameOf(directory), known.encode());
  }

  /** Never rejects. */
  async #digestUntouched(
    key: string,
    context: PlannedContext,
    asListed: boolean,
    signal: AbortSignal,
  ): Promise<ContextDigest | undefined> {
    const before = await orNone(this.#firsts.get(key));
    if (before === undefined) return undefined;
    const digest = await (asListed && mayRecheck(before, context)
      ? this.#recheck(before, context, signal)
      : this.#listAgain(before, context, signal));
    if (digest === undefined) return undefined;
    await keepFiles(this.#store, digest);
    await this.#save(context.directory);
    return digest;
  }

  async #recheck(
    before: ContextListing,
    { directory }: PlannedContext,
    signal: AbortSignal,
  ): Promise<ContextDigest | undefined> {
    const known = await this.#knownOf(directory);
    const same = await orNone(isAsListed(directory, before, known, signal));
    return same === true ? before.digest : undefined;
  }

  async #listAgain(
    before: ContextListing,
    context: PlannedContext,
    signal: AbortSignal,
  ): Promise<ContextDigest | undefined> {
    const after = await orNone(this.#list(context, { readsContents: 'now', signal }));
    return after !== undefined && isUntouched(before, after) ? after.digest : undefined;
  }

  async #listFirst(
    key: string,
    context: PlannedContext,
    readsContents: ListingOptions['readsContents'],
    signal: AbortSignal,
  ): Promise<ContextListing> {
    const listing = await this.#list(context, { readsContents, signal });
    this.#listed.set(key, { folder: listing.listed, at: monotonic() });
    return listing;
  }

  async #list(context: PlannedContext, options: ListingOptions): Promise<ContextListing> {
    const { directory, ignore, parents = [] } = context;
    const known = await this.#knownOf(directory);
    return listContext(
      { directory, parents, ...(ignore !== undefined && { ignore: compileIgnore(ignore) }) },
      known,
      options,
    );
  }

  #knownOf(directory: string): Promise<StatCache> {
    const known = this.#known.get(directory) ?? this.#load(directory);
    this.#known.set(directory, known);
    return known;
  }

  async #load(directory: string): Promise<StatCache> {
    return StatCache.decode(await this.#store.read('contents', nameOf(directory)));
  }
}

/** Keep what a context held, for a later session to tell what has changed. */
async function keepFiles(store: CacheStore, { digest, files }: ContextDigest): Promise<void> {
  // Not whether it is there: it may be damaged.
  if ((await store.read('contexts', digest)) === undefined)
    await store.write('contexts', digest, files().encode());
}

/** @param digest as in ContextDigest; `undefined` where it is not kept, or not any more */
export async function keptFiles(store: CacheStore, digest: string): Promise<FileStates | undefined> {
  const encoded = await store.read('contexts', digest);
  return encoded && FileStates.decode(encoded);
}

/** Whether its entries say all: the contents are known, and artifacts need nothing that is ignored. */
function mayRecheck({ digest }: ContextListing, { parents = [] }: PlannedContext): boolean {
  return digest !== undefined && parents.length === 0;
}

async function orNone<Found>(found: Promise<Found> | undefined): Promise<Found | undefined> {
  return found?.catch(() => undefined);
}

/** Equal for contexts that hold the same. */
export function keyOf({ directory, ignore, parents = [] }: PlannedContext): string {
  return JSON.stringify([directory, ignore ?? null, parents]);
}

function nameOf(directory: string): string {
  return createHash('sha256').update(directory).digest('hex');
}

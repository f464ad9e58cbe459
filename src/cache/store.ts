/** The cache as its users see it: named contents that may be gone at any time, and never an error. */
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivate, TEMPORARY, type UserFolder } from '../core/user-folder.js';
import { readSealed, readSealedSync, writeSealed } from './atomic-file.js';

/** How many of each kind are kept: those that were used last. */
const KEPT = { contents: 64, contexts: 64, records: 256, chunks: 50, plans: 64 } as const;
export type Kind = keyof typeof KEPT;

const DAY = 86_400_000;
/** No write takes so long: its writer is dead. */
const ABANDONED = 3_600_000;

export class CacheStore {
  readonly #folder: UserFolder;
  #problem: string | undefined;

  /** Touches nothing yet: the folder is made at the first write. */
  constructor(folder: UserFolder) {
    this.#folder = folder;
    this.#problem = folder.state === 'off' ? folder.reason : undefined;
  }

  /** Why nothing is remembered, one sentence without final period; `undefined` as long as all is well. */
  get problem(): string | undefined {
    return this.#problem === undefined
      ? undefined
      : `nothing can be remembered for the next session: ${this.#problem}`;
  }

  /** @param name letters and digits */
  async read(kind: Kind, name: string): Promise<Buffer | undefined> {
    if (this.#folder.state === 'off') return undefined;
    const file = join(this.#folder.path, kind, name);
    const content = await readSealed(file, kind);
    if (content !== undefined) await markUsed(file);
    return content;
  }

  /** For who cannot wait. */
  readSync(kind: Kind, name: string): Buffer | undefined {
    if (this.#folder.state === 'off') return undefined;
    const file = join(this.#folder.path, kind, name);
    const content = readSealedSync(file, kind);
    if (content !== undefined) void markUsed(file);
    return content;
  }

  /** Never rejects; see `problem`. */
  async write(kind: Kind, name: string, content: Buffer): Promise<void> {
    if (this.#folder.state === 'off' || this.#problem !== undefined) return;
    const folder = join(this.#folder.path, kind);
    const file = join(folder, name);
    try {
      await makePrivate(this.#folder.path);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const isNew = (await modified(file)) === undefined;
      await writeSealed(file, kind, content);
      if (isNew) await prune(folder, KEPT[kind]);
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
  }
}

/** The time of a file is that of its last use, to the day. */
async function markUsed(file: string): Promise<void> {
  const time = await modified(file);
  const now = Date.now();
  if (time === undefined || time > now - DAY) return;
  // Pruned meanwhile, or a folder that cannot be written: then it stays old.
  await utimes(file, now / 1000, now / 1000).catch(() => undefined);
}

async function modified(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}

async function prune(folder: string, keep: number): Promise<void> {
  const names = await readdir(folder);
  const abandoned: string[] = [];
  const files: { readonly file: string; readonly time: number }[] = [];
  for (const name of names) {
    const file = join(folder, name);
    const time = await modified(file);
    if (time === undefined) continue;
    if (!name.startsWith(TEMPORARY)) files.push({ file, time });
    else if (time < Date.now() - ABANDONED) abandoned.push(file);
  }
  files.sort((a, b) => b.time - a.time);
  for (const file of [...abandoned, ...files.slice(keep).map((old) => old.file)])
    await rm(file, { force: true });
}

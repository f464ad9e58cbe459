/** The plan of a build: one that is remembered where nothing has changed that it was made of, else made of the files. */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CacheStore } from './cache/store.js';
import { buildFileOf } from './config/build-file.js';
import type { LoadedPlan, LoadOptions, LocateArg } from './config/load.js';
import { readRecord, recordName, writeRecord, type UserKey } from './config/plan-record.js';
import { readSmallFile } from './config/source.js';
import type { UserFolder } from './core/user-folder.js';
import { openDigestKey } from './secrets/digest.js';
import { packageVersion } from './version.js';

export interface OpenedPlan extends Pick<LoadedPlan, 'plan' | 'warnings'> {
  /** Reads the files anew where the plan is a remembered one. */
  readonly locateArg: () => Promise<LocateArg>;
  /** For the next time; not before it is known that no secret is written in it. Never rejects. */
  readonly remember: () => Promise<void>;
}

/** Where plans are remembered. */
export interface PlanMemory {
  readonly store: CacheStore;
  readonly userKey: UserKey;
}

export function planMemory(folder: UserFolder): PlanMemory {
  return {
    store: new CacheStore(folder),
    userKey: async () => {
      const key = await openDigestKey(folder);
      return key.kind === 'lasting' ? key.key : undefined;
    },
  };
}

/** Nobody waits for what is larger to be parsed. */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * @param memory absent: nothing is remembered
 * @throws what `loadPlan` throws
 */
export async function openPlan(options: LoadOptions, memory: PlanMemory | undefined): Promise<OpenedPlan> {
  const remembered = memory === undefined ? undefined : await recall(options, memory);
  // What parses and checks is loaded only where it is needed.
  const load = async (): Promise<LoadedPlan> => (await import('./config/load.js')).loadPlan(options);
  if (remembered !== undefined) {
    return {
      ...remembered,
      locateArg: async () => (await load()).locateArg,
      remember: () => Promise.resolve(),
    };
  }
  const loaded = await load();
  const { plan, warnings, locateArg } = loaded;
  return {
    plan,
    warnings,
    locateArg: () => Promise.resolve(locateArg),
    remember: async () => {
      const record = memory && (await writeRecord(loaded, options, memory.userKey));
      if (record === undefined || record.length > MOST_BYTES) return;
      await memory?.store.write('plans', recordName(options, loaded.inputs.content, program()), record);
    },
  };
}

async function recall(
  options: LoadOptions,
  { store, userKey }: PlanMemory,
): Promise<Awaited<ReturnType<typeof readRecord>>> {
  const file = readSmallFile(buildFileOf(options));
  if (file.kind !== 'read') return undefined;
  const record = await store.read('plans', recordName(options, file.content, program()));
  return record && readRecord(record, options, userKey);
}

/** What was compiled anew may plan otherwise, though its version is the same. */
function program(): string {
  return `${packageVersion()} ${statSync(fileURLToPath(import.meta.url)).mtimeMs}`;
}

/**
 * Remembers by which address, port and credentials a step was served when it was last built, so that the next session can
 * give its Dockerfile the same build args and the builder's cache knows an unchanged step. What is remembered opens
 * nothing: the service refuses credentials of an earlier session (see service.ts).
 */
import { createHash } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from '../core/secrets.js';
import type { Credentials } from './credentials.js';
import { writeWhole, type UserFolder } from '../core/user-folder.js';

export interface ServiceRecord {
  readonly address: string;
  readonly port: number;
  /** Spent ones; `undefined` where the user chose them, who alone keeps them. */
  readonly credentials: Credentials | undefined;
  /** As `fingerprintOf` the secrets that the step was served. */
  readonly fingerprint: string;
}

/** Never rejects: to have forgotten costs no more than a build without the cache. */
export interface ServiceMemory {
  recall(label: string): Promise<ServiceRecord | undefined>;
  remember(label: string, record: ServiceRecord): Promise<void>;
}

/** Tells whether a step would be served what it was served before: names, types and digests, in any order. */
export function fingerprintOf(secrets: readonly Secret[]): string {
  const lines = secrets.map(({ name, type, digest }) => JSON.stringify([type, name, digest]));
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex');
}

/**
 * @param engine what tells this engine from others: each has a cache of its own
 * @param file absolute path of the build file
 */
export function openServiceMemory(folder: UserFolder, engine: string, file: string): ServiceMemory {
  if (folder.state === 'off') return FORGETFUL;
  const services = join(folder.path, 'services');
  const pathOf = (label: string): string => {
    const key = createHash('sha256')
      .update(JSON.stringify([engine, file, label]))
      .digest('hex');
    return join(services, `${key}.json`);
  };
  return {
    async recall(label) {
      const text = await readFile(pathOf(label), 'utf8').catch(() => '');
      return decode(text);
    },
    async remember(label, record) {
      try {
        const place = (temporary: string): Promise<void> => rename(temporary, pathOf(label));
        await writeWhole(services, JSON.stringify(record), place, 'if all goes well');
      } catch {
        // A folder that cannot be written: nothing is remembered.
      }
    },
  };
}

const FORGETFUL: ServiceMemory = {
  recall: () => Promise.resolve(undefined),
  remember: () => Promise.resolve(),
};

/** What is not exactly a record was damaged or is of another version: it counts as forgotten. */
function decode(text: string): ServiceRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { address, port, credentials, fingerprint } = value;
  if (typeof address !== 'string' || typeof fingerprint !== 'string') return undefined;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  if (credentials === undefined) return { address, port, credentials, fingerprint };
  if (!isObject(credentials)) return undefined;
  const { user, password } = credentials;
  if (typeof user !== 'string' || typeof password !== 'string') return undefined;
  return { address, port, credentials: { user, password }, fingerprint };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

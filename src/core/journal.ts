/** What a session makes on an engine that carries no mark of it: written down on this host, so that its death loses nothing. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formatOwner, parseOwner, thisProcess, type Owner } from './owner.js';
import type { UserFolder } from './user-folder.js';

/** An image that has no name, or a container without labels. */
export interface Unmarked {
  readonly kind: 'image' | 'container';
  /** Hexadecimal, whole or short; of an image also with `sha256:`. */
  readonly id: string;
}

export interface JournalRecord {
  readonly session: string;
  /** The engine's ID. */
  readonly engine: string;
  readonly owner: Owner;
  /** Oldest first, without repeats. */
  readonly unmarked: readonly Unmarked[];
}

/** A journal of an engine that was never seen again. */
const FORGOTTEN = 30 * 86_400_000;
const ID = /^(?:sha256:)?[0-9a-f]{12,64}$/;
const FILE = /^([0-9a-z]{12})\.jsonl$/;

/** Where there is no folder to write in, nothing is noted, and what is noted is lost. */
export class Journal {
  readonly session: string;
  readonly #folder: UserFolder;
  readonly #engine: string;
  readonly #owner: Owner;
  #begun = false;

  /** Touches nothing until it is begun or something is noted. */
  constructor(folder: UserFolder, session: string, engine: string, owner: Owner = thisProcess()) {
    this.#folder = folder;
    this.session = session;
    this.#engine = engine;
    this.#owner = owner;
  }

  /** Tell of the session, if nothing has yet. */
  begin(): void {
    if (!this.#begun) this.#append([]);
  }

  /** On the disk when it returns: what follows may be the last this process does. */
  note(unmarked: Unmarked): void {
    this.#append([unmarked]);
  }

  /** Nothing of it is left. */
  end(): void {
    if (this.#begun) endJournal(this.#folder, this.session);
  }

  #append(unmarked: readonly Unmarked[]): void {
    const folder = folderOf(this.#folder);
    if (folder === undefined) return;
    const header = { engine: this.#engine, owner: formatOwner(this.#owner) };
    const lines = this.#begun ? unmarked : [header, ...unmarked];
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    try {
      if (!this.#begun) mkdirSync(folder, { recursive: true, mode: 0o700 });
      appendFileSync(join(folder, `${this.session}.jsonl`), text, { mode: 0o600 });
      this.#begun = true;
    } catch {
      // A full disk must not end a build that would clean up by itself.
    }
  }
}

export function endJournal(userFolder: UserFolder, session: string): void {
  const folder = folderOf(userFolder);
  if (folder !== undefined) remove(join(folder, `${session}.jsonl`));
}

/** Those of one engine; what is damaged is read as far as it goes, and what nobody has asked for in a month is removed. */
export function readJournals(userFolder: UserFolder, engine: string): readonly JournalRecord[] {
  const folder = folderOf(userFolder);
  if (folder === undefined) return [];
  return list(folder).flatMap((name) => {
    const session = FILE.exec(name)?.[1];
    if (session === undefined) return [];
    const file = join(folder, name);
    const record = read(file, session);
    if (record?.engine === engine) return [record];
    if (isOld(file)) remove(file);
    return [];
  });
}

function read(file: string, session: string): JournalRecord | undefined {
  let lines: readonly Readonly<Record<string, unknown>>[];
  try {
    lines = readFileSync(file, 'utf8').split('\n').flatMap(parsed);
  } catch {
    return undefined;
  }
  const [header = {}, ...rest] = lines;
  const owner = typeof header['owner'] === 'string' ? parseOwner(header['owner']) : undefined;
  if (owner === undefined || typeof header['engine'] !== 'string') return undefined;
  const unmarked = new Map<string, Unmarked>();
  for (const { kind, id } of rest) {
    if ((kind !== 'image' && kind !== 'container') || typeof id !== 'string' || !ID.test(id)) continue;
    unmarked.set(`${kind} ${id}`, { kind, id });
  }
  return { session, engine: header['engine'], owner, unmarked: [...unmarked.values()] };
}

/** The last line may be cut. */
function parsed(line: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? [value as Readonly<Record<string, unknown>>] : [];
  } catch {
    return [];
  }
}

function folderOf(folder: UserFolder): string | undefined {
  return folder.state === 'on' ? join(folder.path, 'sessions') : undefined;
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isOld(file: string): boolean {
  try {
    return Date.now() - statSync(file).mtimeMs > FORGOTTEN;
  } catch {
    return false;
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It is read, and removed, another time.
  }
}

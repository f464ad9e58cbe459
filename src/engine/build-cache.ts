/** BuildKit's cache: finds what holds the files of an instruction, and removes it with all that was built on it. */
import type { Transport } from './transport.js';

/** Of `GET /system/df`; Docker 28 writes the key of the parents with a space before it. */
interface CacheRecord {
  readonly ID: string;
  readonly Parent?: string;
  readonly Parents?: readonly string[] | null;
  readonly ' Parents'?: readonly string[] | null;
  readonly Description: string;
  readonly LastUsedAt?: string | null;
}

/** Sent context folders, and contexts that came as a tar. */
const CONTEXT = /^(?:local source for context|http url http:\/\/build-context-)/;

/**
 * Records do not say which layer they are, so they are found by their text: one that another build made of the same
 * instruction may go with them, which costs that build time and nothing else.
 * @returns the number of records removed
 */
export async function forgetBuildCache(
  transport: Transport,
  createdBy: string,
  since: number,
  signal: AbortSignal,
): Promise<number> {
  const answer = (await transport.json({
    method: 'GET',
    path: '/system/df',
    query: { type: 'build-cache' },
    signal,
    purpose: 'list its build cache',
  })) as { BuildCache?: readonly CacheRecord[] | null };
  const records = answer.BuildCache ?? [];
  const doomed = new Set(
    records.filter(({ Description }) => isOf(Description, createdBy)).map(({ ID }) => ID),
  );
  addDescendants(doomed, records);
  if (/^(?:COPY|ADD) /.test(createdBy)) {
    for (const { ID, Description, LastUsedAt } of records) {
      if (CONTEXT.test(Description) && Date.parse(LastUsedAt ?? '') >= since) doomed.add(ID);
    }
  }
  if (doomed.size === 0) return 0;
  const pruned = (await transport.json({
    method: 'POST',
    path: '/build/prune',
    query: { all: '1', filters: JSON.stringify({ id: { [`^(${[...doomed].join('|')})$`]: true } }) },
    signal,
    purpose: 'prune its build cache',
  })) as { CachesDeleted?: readonly string[] | null };
  return pruned.CachesDeleted?.length ?? 0;
}

function addDescendants(doomed: Set<string>, records: readonly CacheRecord[]): void {
  const children = new Map<string, string[]>();
  for (const record of records) {
    for (const parent of record.Parents ?? record[' Parents'] ?? [record.Parent ?? '']) {
      children.set(parent, [...(children.get(parent) ?? []), record.ID]);
    }
  }
  // A set visits what is added while it is walked.
  for (const id of doomed) for (const child of children.get(id) ?? []) doomed.add(child);
}

/**
 * Whether a record is of an instruction. `[2/6] COPY --from=x a /a` is told as `COPY a /a # buildkit` in an image's history,
 * `mount / from exec /bin/sh -c make` as `RUN |1 KEY=value /bin/sh -c make # buildkit`.
 */
export function isOf(description: string, createdBy: string): boolean {
  const told = words(createdBy.replace(/ # buildkit$/, ''));
  const command = /^mount \/ from exec (.*)$/s.exec(description)?.[1];
  if (command !== undefined) return told.startsWith('RUN ') && told.endsWith(` ${words(command)}`);
  const instruction = /^\[[^\]]*\] (.*)$/s.exec(description)?.[1];
  return instruction !== undefined && words(instruction.replace(/^(\w+)(?: --\S+)*/, '$1')) === told;
}

function words(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

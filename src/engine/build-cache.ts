/** BuildKit's cache: finds what holds the files of an instruction, and removes it with all that was built on it. */
import { setTimeout } from 'node:timers/promises';
import { monotonic } from '../clock.js';
import { EngineError } from '../core/errors.js';
import type { ForgottenCache, RemovedFiles } from '../core/ports.js';
import { feedingStages, type FeedingStage, type StageInstruction } from '../dockerfile/feeding-stages.js';
import { textOf } from './shape.js';
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

/** Sent folders, contexts that came as a tar, and the files that heredocs make. */
const SENT =
  /^(?:local source for (?:context|dockerfile)$|http url http:\/\/build-context-|\[internal\] preparing inline document$)/;
/** What Docker 20 says of every COPY, ADD and WORKDIR. */
const UNTOLD = 'fileop target';

/** BuildKit lets go of what a build used a moment after it has answered; another build may use a record for longer. */
const RELEASE = { tries: 20, pause: 250 };
/**
 * While a build makes layers, the containerd store often answers 404 to a list of them (seen on 28.5). Docker 20.10 adds up its images,
 * too, and answers 500 where one loses a layer meanwhile (`layer … was not found (corruption?)`).
 */
const LIST = { tries: 50, pause: 50, lost: /layer \S+ was not found/ };
/** An engine adds up its disk, and prunes, for one client at a time, and refuses the others: twenty builds may wait for each other. */
const BUSY = { patience: 180_000, pause: 200 };

/**
 * Records do not say which layer they are, so they are found by their text: one that another build made of the same
 * instruction may go with them, which costs that build time and nothing else.
 * @returns the numbers of records removed, and of those that stay since another build uses them
 */
export async function forgetBuildCache(
  transport: Transport,
  { instructions, dockerfile, options, since }: RemovedFiles,
  signal: AbortSignal,
): Promise<ForgottenCache> {
  const records = await listRecords(transport, signal);
  const begun = await onEngineClock(transport, since, signal);
  const isRecent = ({ LastUsedAt }: CacheRecord): boolean => Date.parse(LastUsedAt ?? '') >= begun;
  const [lowest = ''] = instructions;
  const stages = feedingStages(dockerfile, options, (instruction) =>
    instructions.some((createdBy) => mayHaveMade(instruction, createdBy)),
  );
  const isDoomed = (record: CacheRecord): boolean => {
    if (record.Description === UNTOLD)
      return (!lowest.startsWith('RUN ') || stages.length > 0) && isRecent(record);
    if (isOf(record.Description, lowest)) return true;
    return stages.some((stage) => isOfStage(record.Description, stage)) && isRecent(record);
  };
  const doomed = new Set(records.filter(isDoomed).map(({ ID }) => ID));
  addDescendants(doomed, records);
  const found = doomed.size;
  // Whatever the lowest instruction is: one above it, or a mount, may have read removed files from there.
  const sent = records
    .filter((record) => SENT.test(record.Description) && isRecent(record))
    .map(({ ID }) => ID);
  for (let tries = 1; doomed.size > 0 || sent.length > 0; tries += 1) {
    await prune(transport, [...doomed, ...sent], signal);
    const left = new Set((await listRecords(transport, signal)).map(({ ID }) => ID));
    for (const id of doomed) if (!left.has(id)) doomed.delete(id);
    // A folder that was sent is not waited for: steps that still run may hold theirs for long.
    if (doomed.size === 0 || tries === RELEASE.tries) break;
    await setTimeout(RELEASE.pause, undefined, { signal });
  }
  return { removed: found - doomed.size, kept: doomed.size };
}

async function prune(transport: Transport, ids: readonly string[], signal: AbortSignal): Promise<void> {
  await whenFree(signal, () =>
    transport.json({
      method: 'POST',
      path: '/build/prune',
      query: { all: '1', filters: JSON.stringify({ id: { [`^(${ids.join('|')})$`]: true } }) },
      // By their IDs: what is gone is gone.
      pace: 'repeatable',
      signal,
      purpose: 'prune its build cache',
    }),
  );
}

async function listRecords(transport: Transport, signal: AbortSignal): Promise<readonly CacheRecord[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = (await whenFree(signal, () =>
        transport.json({
          method: 'GET',
          path: '/system/df',
          query: { type: 'build-cache' },
          // Engines add up what every record takes.
          pace: 'repeatable',
          signal,
          purpose: 'list its build cache',
        }),
      )) as { BuildCache?: readonly CacheRecord[] | null } | undefined;
      return answer?.BuildCache ?? [];
    } catch (error) {
      const isPassing =
        error instanceof EngineError && (error.status === 404 || LIST.lost.test(error.message));
      if (!isPassing || tries === LIST.tries) throw error;
      await setTimeout(LIST.pause, undefined, { signal });
    }
  }
}

async function whenFree<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  const begun = monotonic();
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const isBusy = error instanceof EngineError && /operation is already running/.test(error.message);
      if (!isBusy || monotonic() - begun > BUSY.patience) throw error;
      await setTimeout(BUSY.pause, undefined, { signal });
    }
  }
}

/** The engine's clock need not be this machine's. */
async function onEngineClock(transport: Transport, time: number, signal: AbortSignal): Promise<number> {
  const purpose = 'tell its time';
  const answer = await transport.json({ method: 'GET', path: '/info', signal, purpose });
  return Date.parse(textOf(answer, 'SystemTime', purpose)) - (Date.now() - time);
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
 * `ADD [a, /a]` as `ADD a /a`, `mount / from exec /bin/sh -c make` as `RUN |1 KEY=value /bin/sh -c make # buildkit`.
 */
export function isOf(description: string, createdBy: string): boolean {
  const told = words(createdBy.replace(/ # buildkit$/, ''));
  const command = /^mount \/ from exec (.*)$/s.exec(description)?.[1];
  if (command !== undefined) return told.startsWith('RUN ') && told.endsWith(` ${words(command)}`);
  const instruction = /^\[[^\]]*\] (.*)$/s.exec(description)?.[1];
  return instruction !== undefined && bare(instruction) === bare(told);
}

/** Whether the history may tell an instruction of the Dockerfile so: it has the values of variables, and heredocs in its own way. */
function mayHaveMade({ keyword, operands, hasHeredoc }: StageInstruction, createdBy: string): boolean {
  const told = words(createdBy.replace(/ # buildkit$/, ''));
  const [first = ''] = told.split(' ', 1);
  if (first.toLowerCase() !== keyword) return false;
  if (hasHeredoc) return true;
  if (keyword === 'run') return told.endsWith(` ${words(operands)}`);
  return operands.includes('$') || told === `${first} ${words(operands)}`;
}

/** Whether a record is of an instruction of a stage: `[one 2/4] COPY a /a`, or any RUN of the same command. */
export function isOfStage(description: string, { name, instructions }: FeedingStage): boolean {
  const command = /^mount \/ from exec (.*)$/s.exec(description)?.[1];
  if (command === undefined) return /^\[(?:\S+ )?(\S+) \d+\/\d+\] /.exec(description)?.[1] === name;
  return instructions.some(({ keyword, operands, hasHeredoc }) => {
    if (keyword !== 'run') return false;
    // The lines of a heredoc are told as they are; those of any other RUN are made one.
    return hasHeredoc ? command.includes('\n') : ` ${words(command)}`.endsWith(` ${words(operands)}`);
  });
}

/** An instruction without its flags, and its list form as words. */
function bare(instruction: string): string {
  const [, keyword = '', rest = ''] = /^(\w+)(?: +--\S+)* +(.*)$/s.exec(instruction) ?? [];
  const list = /^\[(.*)\]$/s.exec(rest.trim())?.[1];
  return words(`${keyword} ${list === undefined ? rest : list.split(', ').join(' ')}`);
}

function words(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

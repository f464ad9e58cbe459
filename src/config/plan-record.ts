/**
 * A plan as bytes that can be kept, with a digest of all that it was made of: it holds for as long as the files say the same.
 * What they say is compared, not their times: a plan reads its Dockerfiles anyway.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Plan, PlannedDockerfile, PlannedStep } from '../core/plan.js';
import { buildFileOf } from './build-file.js';
import { conceal, concealingKey, reveal } from './conceal.js';
import type { Diagnostic } from './diagnostic.js';
import { folderState } from './folder-state.js';
import type { LoadedPlan, LoadOptions } from './load.js';
import { readSmallFile } from './source.js';

/** In the first line. */
interface RecordHead {
  /** Those of the environment that the plan depends on. */
  readonly variables: readonly string[];
}

/** What follows; concealed where values of the environment or of `--build` may be in it, for they may be anybody's secrets. */
interface PlanRecord {
  /** Absolute paths. */
  readonly files: readonly string[];
  /** Of what they hold, in hexadecimal. */
  readonly digest: string;
  /** Absolute paths where there was none. */
  readonly missing: readonly string[];
  readonly folders: readonly string[];
  readonly warnings: readonly Diagnostic[];
  readonly plan: Omit<Plan, 'steps'> & { readonly steps: readonly RecordedStep[] };
}

/** What its Dockerfile holds is read again. */
type RecordedStep = Omit<PlannedStep, 'dockerfile'> & {
  readonly dockerfile: Omit<PlannedDockerfile, 'content'>;
};

/** The user's key; absent where there is none that lasts. */
export type UserKey = () => Promise<Buffer | undefined>;

/**
 * What a plan is kept under: hexadecimal digits.
 * @param content of the build file
 * @param program changes when the program does
 */
export function recordName(options: LoadOptions, content: Buffer, program: string): string {
  const where = { workDirectory: resolve(options.workDirectory), file: buildFileOf(options) };
  const buildArgs = [...options.buildArgs.keys()];
  const all = [program, { ...options, ...where, env: undefined, buildArgs }];
  return createHash('sha256')
    .update(`${JSON.stringify(all)}\n`)
    .update(content)
    .digest('hex');
}

/** @returns nothing where there is something to be concealed, and no key */
export async function writeRecord(
  loaded: LoadedPlan,
  options: LoadOptions,
  userKey: UserKey,
): Promise<Buffer | undefined> {
  const head: RecordHead = { variables: [...loaded.inputs.variables] };
  const values = valuesOf(head, options);
  const body = Buffer.from(JSON.stringify(recordOf(loaded)));
  const line = Buffer.from(`${JSON.stringify(head)}\n`);
  if (values === undefined) return Buffer.concat([line, body]);
  const key = await userKey();
  return key && Buffer.concat([line, conceal(body, concealingKey(key, values))]);
}

/** @returns nothing where none can be in the plan */
function valuesOf({ variables }: RecordHead, { env, buildArgs }: LoadOptions): object | undefined {
  if (variables.length === 0 && buildArgs.size === 0) return undefined;
  const found = variables.map((name) => [name, env.variables.get(name) ?? null]);
  return [found, [...buildArgs]];
}

function recordOf({ plan, warnings, inputs }: LoadedPlan): PlanRecord {
  const files = new Map<string, Buffer>();
  const missing: string[] = [];
  for (const [path, content] of inputs.files) {
    if (content === undefined) missing.push(path);
    else files.set(path, content);
  }
  return {
    files: [...files.keys()],
    digest: digestOf([...files.values()]),
    missing,
    folders: inputs.folders,
    warnings,
    plan: {
      ...plan,
      steps: plan.steps.map((step) => {
        const { path, references, ignore } = step.dockerfile;
        return { ...step, dockerfile: { path, references, ...(ignore !== undefined && { ignore }) } };
      }),
    },
  };
}

/**
 * @param bytes as they were written under the name that the options and the build file give
 * @returns `undefined` where anything else that the plan was made of has changed
 */
export async function readRecord(
  bytes: Buffer,
  options: LoadOptions,
  userKey: UserKey,
): Promise<Pick<LoadedPlan, 'plan' | 'warnings'> | undefined> {
  const end = bytes.indexOf('\n');
  const head = JSON.parse(bytes.toString('utf8', 0, end)) as RecordHead;
  const rest = bytes.subarray(end + 1);
  const values = valuesOf(head, options);
  if (values === undefined) return planOf(rest);
  const key = await userKey();
  const body = key && reveal(rest, concealingKey(key, values));
  return body && planOf(body);
}

function planOf(body: Buffer): Pick<LoadedPlan, 'plan' | 'warnings'> | undefined {
  const { files, digest, missing, folders, warnings, plan } = JSON.parse(body.toString('utf8')) as PlanRecord;
  if (!folders.every((folder) => folderState(folder) === 'folder')) return undefined;
  if (!missing.every((path) => readSmallFile(path).kind === 'missing')) return undefined;
  const contents = new Map<string, Buffer>();
  for (const path of files) {
    const now = readSmallFile(path);
    if (now.kind !== 'read') return undefined;
    contents.set(path, now.content);
  }
  if (digestOf([...contents.values()]) !== digest) return undefined;
  const steps: PlannedStep[] = [];
  for (const step of plan.steps) {
    const content = contents.get(step.dockerfile.path);
    if (content === undefined) return undefined;
    // Names of args are the user's: `constructor` is one like any other.
    const args = Object.assign(Object.create(null) as Record<string, string>, step.args);
    // Nobody else has what was parsed: a copy of it would take longer.
    steps.push(Object.assign(step, { args, dockerfile: Object.assign(step.dockerfile, { content }) }));
  }
  return { plan: { ...plan, steps }, warnings };
}

/** Of all together, and of all lengths at once: each call of a hash takes longer than what it hashes here. */
function digestOf(contents: readonly Buffer[]): string {
  const hash = createHash('sha256').update(`${JSON.stringify(contents.map(({ length }) => length))}\n`);
  for (const content of contents) hash.update(content);
  return hash.digest('hex');
}

/** Reads every secret of a plan once, at the start: what is missing is told before anything is built. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { UsageError } from '../core/errors.js';
import type { Plan, SecretSpec } from '../core/plan.js';
import type { Secret } from '../core/secrets.js';
import { digestOf } from './digest.js';
import { readCommand } from './sources-command.js';

/** Bytes: what BuildKit and build args can bear, and more than any key. */
const LONGEST_SECRET = 1024 * 1024;

export interface SourceOptions {
  /** Where type `env` looks, and the environment of commands. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether secrets of type `command` may be read: they run on this machine. */
  readonly allowCommands: boolean;
  /** Of `openDigestKey`. */
  readonly key: Buffer;
  readonly signal: AbortSignal;
}

export interface PlanSecrets {
  /** By step label, in the order of the build file; steps without secrets are not in it. */
  readonly byStep: ReadonlyMap<string, readonly Secret[]>;
  /** One for each distinct value, under the first of its names: for redaction and proof. */
  readonly distinct: readonly Secret[];
}

interface Problem {
  readonly what: string;
  readonly hint: string;
}

type Reading = { readonly kind: 'value'; readonly value: Buffer } | ({ readonly kind: 'problem' } & Problem);

/**
 * Steps that name one source get one value, though it may change meanwhile. Commands run one after the other: a
 * password manager that asks its user should ask once at a time.
 * @throws UsageError that lists all the secrets that cannot be read; the signal's reason
 */
export async function readSecrets(
  { steps, workDirectory }: Pick<Plan, 'steps' | 'workDirectory'>,
  options: SourceOptions,
): Promise<PlanSecrets> {
  const readings = new Map<string, Reading>();
  const problems: { readonly where: string; readonly problem: Problem }[] = [];
  const byStep = new Map<string, readonly Secret[]>();
  const distinct = new Map<string, Secret>();
  for (const { label, secrets } of steps) {
    const read: Secret[] = [];
    for (const spec of secrets) {
      options.signal.throwIfAborted();
      const source = JSON.stringify([spec.type, spec.value]);
      const reading = readings.get(source) ?? (await readSource(spec, workDirectory, options));
      readings.set(source, reading);
      if (reading.kind === 'problem') {
        problems.push({ where: `secret "${spec.name}" of step "${label}"`, problem: reading });
        continue;
      }
      const { value } = reading;
      const secret = { name: spec.name, type: spec.type, value, digest: digestOf(options.key, value) };
      read.push(secret);
      const same = value.toString('latin1');
      if (!distinct.has(same)) distinct.set(same, secret);
    }
    if (read.length > 0) byStep.set(label, read);
  }
  complain(problems);
  return { byStep, distinct: [...distinct.values()] };
}

function complain(problems: readonly { readonly where: string; readonly problem: Problem }[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  if (others.length === 0) {
    throw new UsageError(`${first.where} cannot be read: ${first.problem.what}`, {
      hint: first.problem.hint,
    });
  }
  const list = problems.map(({ where, problem }) => `${where}: ${problem.what}`);
  const hints = [...new Set(problems.map(({ problem }) => problem.hint))];
  throw new UsageError(`${problems.length} secrets cannot be read: ${list.join('; ')}`, {
    hint: hints.join(' '),
  });
}

async function readSource(spec: SecretSpec, workDirectory: string, options: SourceOptions): Promise<Reading> {
  const reading = await readAny(spec, workDirectory, options);
  if (reading.kind === 'problem' || reading.value.length > 0) return reading;
  return problem(
    `${nameOf(spec)} is empty`,
    'A secret must have a value; take it out of the build file otherwise.',
  );
}

async function readAny(
  spec: SecretSpec,
  workDirectory: string,
  { env, allowCommands, signal }: SourceOptions,
): Promise<Reading> {
  switch (spec.type) {
    case 'env': {
      const value = env[spec.value];
      if (value !== undefined) return { kind: 'value', value: Buffer.from(value) };
      return problem(`${nameOf(spec)} is not set`, `Set ${spec.value} in the environment of habitus.`);
    }
    case 'file':
      return readFileSource(spec);
    case 'command': {
      if (!allowCommands) {
        return problem(
          'its command is not allowed to run',
          'Look at the command in the build file, then allow it with --allow-secret-commands.',
        );
      }
      const output = await readCommand(spec.value, workDirectory, env, LONGEST_SECRET, signal);
      switch (output.kind) {
        case 'value':
          return output;
        case 'failed':
          return problem(
            `its command failed with exit code ${output.exitCode}`,
            'Run the command by hand to see why: what it says is not shown here, for it may hold secrets.',
          );
        case 'too-long':
          return problem(`its command printed more than ${LIMIT}`, TOO_LONG);
      }
    }
  }
}

const LIMIT = `${LONGEST_SECRET / 1024 / 1024} MiB`;
const TOO_LONG = `A secret has at most ${LIMIT}; give what is larger to the build in another way.`;

async function readFileSource(spec: SecretSpec): Promise<Reading> {
  try {
    // Not to wait for a writer where it is a named pipe.
    const file = await open(spec.value, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) {
        const what = stats.isDirectory() ? 'a folder' : 'no ordinary file';
        return problem(`${nameOf(spec)} is ${what}`, 'Give the path of a file.');
      }
      if (stats.size > LONGEST_SECRET) return tooLong(spec);
      const value = await file.readFile();
      // It may have grown meanwhile, and files of /proc tell no size.
      if (value.length > LONGEST_SECRET) return tooLong(spec);
      return { kind: 'value', value };
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return problem(`${nameOf(spec)} does not exist`, 'Put the file there, or correct the path.');
    }
    return problem(`${nameOf(spec)} cannot be read: ${code}`, 'Give habitus the right to read the file.');
  }
}

/** A source as it is named to people; a command line may hold what is none of theirs. */
function nameOf({ type, value }: SecretSpec): string {
  switch (type) {
    case 'env':
      return `the variable ${value}`;
    case 'file':
      return `the file ${value}`;
    case 'command':
      return 'what its command printed';
  }
}

function tooLong(spec: SecretSpec): Reading {
  return problem(`${nameOf(spec)} has more than ${LIMIT}`, TOO_LONG);
}

function problem(what: string, hint: string): Reading {
  return { kind: 'problem', what, hint };
}

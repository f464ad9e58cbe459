/** build.yml to an immutable plan: read, parse, check, resolve. Nothing here touches Docker. */
import { join, relative, resolve } from 'node:path';
import type { Plan } from '../core/plan.js';
import { UsageError } from '../core/errors.js';
import { findImageReferences } from '../dockerfile/references.js';
import { buildFileOf } from './build-file.js';
import { decode } from './decode.js';
import { ConfigError, Problems, type Diagnostic } from './diagnostic.js';
import { DockerfileReader, type FindImageReferences } from './dockerfiles.js';
import { parseImageName, withUid } from './image-name.js';
import type { Environment } from './interpolate.js';
import { nodeAt, rangeOf } from './issues.js';
import { resolvePlan } from './resolve.js';
import type { SecretRules } from './secrets.js';
import { readSmallFile, type Range, type SourceText } from './source.js';
import { stepsByLabel } from './step-list.js';
import { checkSteps, stepPath } from './steps.js';
import { parseYaml } from './syntax.js';
import { buildTree } from './tree.js';

export interface LoadOptions {
  /** `-d`; relative to the current directory. */
  readonly workDirectory: string;
  /** `-f`; relative to the current directory, but `build.yml`, the default, lies in the work directory, as ever. */
  readonly file?: string;
  readonly env: Environment;
  /** `--allow-unset-env`: an unset variable is an empty text, as it was in the original. */
  readonly allowUnsetEnv: boolean;
  /** `--build K=V` for every step; a step's own args win. */
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly uid?: string;
  readonly noCache: boolean;
  readonly noCleanup: boolean;
  readonly keepAll: boolean;
  readonly allowAfterBuildCommands: boolean;
  readonly secrets: SecretRules;
  /** What `~/` means in paths of secrets and keys; absolute. */
  readonly home: string;
  /** `--step`: labels or image names; only these and what they need are planned. Absent or empty: all. */
  readonly steps?: readonly string[];
}

export interface LoadedPlan {
  readonly plan: Plan;
  readonly warnings: readonly Diagnostic[];
  readonly locateArg: LocateArg;
  readonly inputs: PlanInputs;
}

/** What a plan was made of beside its options. */
export interface PlanInputs {
  /** Of the build file. */
  readonly content: Buffer;
  /** Of the environment: those that the build file depends on. */
  readonly variables: ReadonlySet<string>;
  /** What else was read, by absolute path; `undefined` where there was nothing. */
  readonly files: ReadonlyMap<string, Buffer | undefined>;
  /** Absolute paths: each was a folder. */
  readonly folders: readonly string[];
}

/** Where the build file gives a step's own build arg; undefined for one of `--build`. */
export type LocateArg = (label: string, arg: string) => Located | undefined;

export interface Located {
  readonly source: SourceText;
  readonly range: Range;
}

/**
 * Rejects with {@link ConfigError}, which carries every problem of the build file and the Dockerfiles, and with
 * {@link UsageError} for options that fit no build file, e.g. an unknown `--step`.
 * @param findImages the analysis of Dockerfiles, for tests
 */
export function loadPlan(
  options: LoadOptions,
  findImages: FindImageReferences = findImageReferences,
): Promise<LoadedPlan> {
  return Promise.resolve().then(() => readPlan(options, findImages));
}

function readPlan(options: LoadOptions, findImages: FindImageReferences): LoadedPlan {
  checkUid(options.uid);
  const workDirectory = resolve(options.workDirectory);
  const file = buildFileOf(options);
  const problems = new Problems();

  const { content, source } = readSource(file, join(workDirectory, options.file ?? ''));
  const parsed = parseYaml(source);
  if ('problems' in parsed) {
    for (const problem of parsed.problems) problems.add(problem);
    problems.throwErrors(file);
    throw new Error('a YAML file was refused without a reason');
  }
  const { env: environment, allowUnsetEnv } = options;
  const tree = buildTree(parsed.root, { source, environment, allowUnsetEnv, problems });
  const checked = { source, problems, root: stepsByLabel(tree.root, source, problems) };
  const checkedFile = checkSteps(checked, options.uid);
  if (checkedFile === undefined) {
    problems.throwErrors(file);
    throw new Error('a build file without steps passed the schema');
  }
  const reader = new DockerfileReader(checked, workDirectory, findImages);
  const plan = resolvePlan({ checked, file: checkedFile, workDirectory, options, reader });
  return {
    plan,
    inputs: { content, variables: tree.variables, ...reader.inputs() },
    warnings: problems.warnings(),
    locateArg: (label, arg) => {
      const path = stepPath(label, 'args', arg);
      const { root } = checked;
      return nodeAt(root, path) === undefined ? undefined : { source, range: rangeOf(root, path) };
    },
  };
}

/** @param inWorkDirectory where the file would be if `-f` were relative to that */
function readSource(
  file: string,
  inWorkDirectory: string,
): { readonly content: Buffer; readonly source: SourceText } {
  const outcome = readSmallFile(file);
  const refuse = (message: string, hint: string): ConfigError =>
    new ConfigError([{ severity: 'error', message, file, hint }]);
  switch (outcome.kind) {
    case 'missing':
      throw refuse(
        `there is no build file ${file}`,
        readSmallFile(inWorkDirectory).kind === 'read'
          ? `did you mean -f ${relative('', inWorkDirectory)}? -f is relative to the current folder, not to -d`
          : 'name the folder that holds build.yml with -d, or the file itself with -f',
      );
    case 'unusable':
      throw refuse(`the build file ${file} ${outcome.why}`, 'name another build file with -f');
    case 'read': {
      const decoded = decode(file, outcome.content);
      if ('problem' in decoded) throw new ConfigError([decoded.problem]);
      return { content: outcome.content, source: decoded.source };
    }
  }
}

function checkUid(uid: string | undefined): void {
  if (uid === undefined || uid === '') return;
  if (!uid.includes(':') && parseImageName(withUid('app', uid)).kind === 'name') return;
  throw new UsageError(`"${uid}" cannot be part of an image name`, {
    hint: 'give --uid letters and digits, with single "." or "_", or "-" between them',
  });
}

/** Checked steps to a plan: who depends on whom, in which order, what stays. */
import type { Plan, PlannedStep, StepReference } from '../core/plan.js';
import { UsageError } from '../core/errors.js';
import { afterBuild, plannedBase, warnOfCleanup } from './after-build.js';
import { given, type DockerfileReader, type StepFiles } from './dockerfiles.js';
import { closure, findCycles, topologicalOrder, type Dependencies } from './graph.js';
import { describe, keyRange, nodeAt, rangeOf, type Checked } from './issues.js';
import type { LoadOptions } from './load.js';
import { checkBuildSecrets, checkStepSecrets, findBuildSecrets, plannedSecrets } from './secrets.js';
import type { Range } from './source.js';
import { StepNames, stepPath, type CheckedFile, type Step } from './steps.js';

export interface ResolveRequest {
  readonly checked: Checked;
  readonly file: CheckedFile;
  /** Absolute path. */
  readonly workDirectory: string;
  readonly options: LoadOptions;
  readonly reader: DockerfileReader;
}

/** A step with all that was found about it; `references` are the places that name images of other steps. */
interface Resolved {
  readonly step: Step;
  readonly args: Readonly<Record<string, string>>;
  readonly files?: StepFiles;
  readonly references: readonly StepReference[];
  /** By the labels of the steps it waits for. */
  readonly needs: ReadonlyMap<string, Need>;
}

/** Where a dependency comes from. */
interface Need {
  readonly why: string;
  /** In the build file: the item of depends_on, or the label of a step whose Dockerfile is the reason. */
  readonly range: Range;
}

/** @throws {ConfigError} with all problems so far and those found here */
export function resolvePlan(request: ResolveRequest): Plan {
  const { checked, file, workDirectory, options } = request;
  const names = new StepNames(file.steps);
  const secrets = findBuildSecrets(checked);
  checkBuildSecrets(checked, file.version, secrets, options.secrets);
  const steps = file.steps.map((step) => {
    checkStepSecrets(checked, stepPath(step.label), file.version, step.config, secrets, options.secrets);
    return resolveStep(step, names, request);
  });

  const indexes = new Map(file.steps.map(({ label }, index) => [label, index] as const));
  const dependencies = steps.map(({ needs }) =>
    [...needs.keys()].map((label) => indexes.get(label) ?? 0).sort((a, b) => a - b),
  );
  reportCycles(checked, steps, dependencies);
  checked.problems.throwErrors(checked.source.file);

  const asked = new Set((options.steps ?? []).map((called) => indexes.get(askedStep(called, names)) ?? 0));
  const chosen = asked.size === 0 ? undefined : closure(dependencies, asked);
  const order = topologicalOrder(dependencies).filter((index) => chosen?.has(index) !== false);
  const used = usedByOthers(order.flatMap((index) => steps[index] ?? []));
  return {
    file: checked.source.file,
    workDirectory,
    version: file.version,
    steps: order.flatMap((index) => {
      const resolved = steps[index];
      if (resolved === undefined) return [];
      const { label, config } = resolved.step;
      const keep = options.keepAll || asked.has(index) || (config.keep ?? !used.has(label));
      const dependsOn = (dependencies[index] ?? []).flatMap((of) => file.steps[of]?.label ?? []);
      return [
        {
          ...planned(resolved, dependsOn, keep, options),
          ...plannedSecrets(config, secrets, workDirectory, options.home),
        },
      ];
    }),
  };
}

function resolveStep(step: Step, names: StepNames, { checked, options, reader }: ResolveRequest): Resolved {
  const needs = new Map<string, Need>();
  (step.config.depends_on ?? []).forEach((called, index) => {
    const label = names.find(called);
    const range = rangeOf(checked.root, stepPath(step.label, 'depends_on', index));
    if (label === undefined) {
      const message = `${describe(stepPath(step.label))} depends on "${called}", which is no step`;
      checked.problems.add(checked.source.error(message, range, names.hint(called)));
    } else if (!needs.has(label)) {
      needs.set(label, { why: `depends_on in line ${String(checked.source.place(range).line)}`, range });
    }
  });
  warnOfHostCommand(step, checked, options);
  refuseCommandCache(step, checked);
  warnOfCleanup(step, checked, options.noCleanup);
  const args = buildArgs(step, options);
  const files = reader.read(step, args);
  const references: StepReference[] = [];
  for (const { image, start, end, line } of files?.images ?? []) {
    const label = names.ofImage(image);
    // A step that builds from the image of its own name means the one that is there already, e.g. to extend it.
    if (label === undefined || label === step.label) continue;
    references.push({ start, end, label });
    const range = keyRange(checked.root, stepPath(step.label));
    if (!needs.has(label))
      needs.set(label, { why: `its Dockerfile uses "${image}" in line ${String(line)}`, range });
  }
  return { step, args, references, needs, ...(files !== undefined && { files }) };
}

/** The original skipped these commands without a word; build jobs that rely on it go on working. */
function warnOfHostCommand(
  { label, config }: Step,
  { root, source, problems }: Checked,
  options: LoadOptions,
): void {
  if (options.allowAfterBuildCommands || given(config.after_build_command) === undefined) return;
  const message = `"after_build_command" of ${describe(stepPath(label))} is not run`;
  const range = keyRange(root, stepPath(label, 'after_build_command'));
  const hint = 'pass --after-build-commands to allow commands on this machine';
  problems.add({ ...source.error(message, range, hint), severity: 'warning' });
}

/** By what is written: a command that is wrong is there all the same. */
function refuseCommandCache({ label, config }: Step, { root, source, problems }: Checked): void {
  const command = nodeAt(root, stepPath(label, 'command'));
  const isGiven =
    command !== undefined && command.kind !== 'empty' && !(command.kind === 'text' && command.text === '');
  if (config.command_cache !== true || isGiven) return;
  const message = `"command_cache" of ${describe(stepPath(label))} has no command to leave out`;
  const range = keyRange(root, stepPath(label, 'command_cache'));
  problems.add(source.error(message, range, 'add "command:", or remove it'));
}

function reportCycles(
  { source, problems }: Checked,
  steps: readonly Resolved[],
  dependencies: Dependencies,
): void {
  for (const cycle of findCycles(dependencies)) {
    const links = cycle.flatMap((index, position) => {
      const from = steps[index];
      const to = steps[cycle[(position + 1) % cycle.length] ?? index]?.step.label ?? '';
      const need = from?.needs.get(to);
      return from === undefined || need === undefined ? [] : [{ label: from.step.label, to, ...need }];
    });
    const [first] = links;
    if (first === undefined) continue;
    if (links.length === 1) {
      problems.add(
        source.error(
          `${describe(stepPath(first.label))} depends on itself`,
          first.range,
          'remove it from depends_on',
        ),
      );
      continue;
    }
    const labels = links.map(({ label }) => label);
    const message = `the steps wait for each other: ${shortened(labels).join(' → ')} → ${first.label}`;
    const hint = shortened(links.map(({ label, to, why }) => `${label} → ${to}: ${why}`)).join('; ');
    problems.add(source.error(message, first.range, hint));
  }
}

/** Nobody reads a cycle of a thousand steps. */
function shortened(parts: readonly string[]): readonly string[] {
  const most = 12;
  if (parts.length <= most) return parts;
  return [...parts.slice(0, most - 2), `… (${String(parts.length - most + 1)} more)`, ...parts.slice(-1)];
}

function askedStep(called: string, names: StepNames): string {
  const label = names.find(called);
  if (label !== undefined) return label;
  const hint = names.hint(called);
  throw new UsageError(`there is no step "${called}"`, hint === undefined ? {} : { hint });
}

/** Labels of the steps whose image others build from, or whose artifacts they take. */
function usedByOthers(steps: readonly Resolved[]): ReadonlySet<string> {
  const giving = new Set(
    steps.filter(({ step }) => step.config.artifacts?.length).map(({ step }) => step.label),
  );
  return new Set(
    steps.flatMap(({ references, needs }) => [
      ...references.map(({ label }) => label),
      ...[...needs.keys()].filter((label) => giving.has(label)),
    ]),
  );
}

function buildArgs({ config }: Step, options: LoadOptions): Readonly<Record<string, string>> {
  const args = Object.create(null) as Record<string, string>;
  for (const [key, value] of [...options.buildArgs, ...(config.args ?? [])]) args[key] = value;
  return args;
}

function planned(
  { step: { label, config, image }, args, files, references }: Resolved,
  dependsOn: readonly string[],
  keep: boolean,
  options: LoadOptions,
): Omit<PlannedStep, 'secrets' | 'ssh'> {
  if (files === undefined || image === undefined)
    throw new Error(`the step ${label} passed without its files`);
  const target = given(config.target);
  const command = given(config.command);
  const afterBuildCommand = options.allowAfterBuildCommands ? given(config.after_build_command) : undefined;
  return {
    label,
    imageName: `${image.repository}:${image.tag}`,
    dependsOn,
    context: files.context,
    dockerfile: {
      path: files.path,
      content: files.content,
      references,
      ...(files.ignore !== undefined && { ignore: files.ignore }),
    },
    ...(target !== undefined && { target }),
    args,
    noCache: options.noCache || (config.no_cache ?? false),
    artifacts: config.artifacts ?? [],
    base: plannedBase(files.base, references),
    ...afterBuild(config, options.noCleanup),
    ...(command !== undefined && { command }),
    commandCache: config.command_cache ?? false,
    ...(afterBuildCommand !== undefined && { afterBuildCommand }),
    ...(typeof config.timeout === 'number' && { timeoutMs: config.timeout }),
    keep,
  };
}

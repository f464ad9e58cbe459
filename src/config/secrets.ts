/** Which secrets a step may ask for, where their values come from, and what this machine allows of them. */
import { resolve } from 'node:path';
import type { PlannedStep, SchemaVersion, SecretSpec } from '../core/plan.js';
import { describe, nodeAt, rangeOf, toPlain, type Checked, type Path } from './issues.js';
import type { PartialStepConfig } from './schema.js';
import { secret as secretSchema, type SecretConfig } from './secret-schema.js';
import { didYouMean } from './suggest.js';
import { requireVersion } from './versions.js';

export interface SecretRules {
  /** The types that may be read at all. */
  readonly providers: readonly ('file' | 'env')[];
  readonly allowCommands: boolean;
}

/** `build.secrets`: what steps may name. */
export type BuildSecrets = ReadonlyMap<string, SecretConfig | 'faulty'>;

const BUILD_SECRETS: Path = ['build', 'secrets'];

/** The schema has told what is faulty. */
export function findBuildSecrets({ root }: Checked): BuildSecrets {
  const node = nodeAt(root, BUILD_SECRETS);
  if (node?.kind !== 'map') return new Map();
  return new Map(
    Array.from(node.entries, ([name, { value }]) => {
      const parsed = secretSchema.safeParse(toPlain(value));
      return [name, parsed.success ? parsed.data : 'faulty'];
    }),
  );
}

export function checkBuildSecrets(
  checked: Checked,
  version: SchemaVersion,
  declared: BuildSecrets,
  rules: SecretRules,
): void {
  if (declared.size > 0) requireVersion(checked, BUILD_SECRETS, version, '2026-11-22');
  for (const [name, config] of declared) {
    const path = [...BUILD_SECRETS, name];
    checkName(checked, path, name);
    if (config !== 'faulty') checkAllowed(checked, path, config, rules);
  }
}

export function checkStepSecrets(
  checked: Checked,
  stepPath: Path,
  version: SchemaVersion,
  config: PartialStepConfig,
  declared: BuildSecrets,
  rules: SecretRules,
): void {
  checkForms(checked, [...stepPath, 'secrets'], version);
  for (const { name, own, at } of uses(config.secrets)) {
    const path = [...stepPath, 'secrets', at];
    checkName(checked, path, name);
    if (own !== undefined) checkAllowed(checked, path, own, rules);
    else if (!declared.has(name)) reportUndeclared(checked, stepPath, path, name, declared);
  }
}

/** @param workDirectory absolute */
export function plannedSecrets(
  { secrets, ssh }: PartialStepConfig,
  declared: BuildSecrets,
  workDirectory: string,
  home: string,
): Pick<PlannedStep, 'secrets' | 'ssh'> {
  const absolute = (path: string): string => absolutePath(path, workDirectory, home);
  const specs = new Map<string, SecretSpec>();
  for (const { name, own } of uses(secrets)) {
    const config = own ?? declared.get(name);
    if (config === undefined || config === 'faulty')
      throw new Error(`the secret ${name} passed without its source`);
    const { type, value } = config;
    specs.set(name, { name, type, value: type === 'file' ? absolute(value) : value });
  }
  return {
    secrets: [...specs.values()],
    ssh: (ssh ?? []).map(({ id, paths }) => ({ id, sources: paths.map(absolute) })),
  };
}

interface Use {
  readonly name: string;
  /** Absent: the one of the whole build. */
  readonly own?: SecretConfig;
  /** Its key or index. */
  readonly at: string | number;
}

function uses(secrets: PartialStepConfig['secrets']): readonly Use[] {
  if (secrets === null || secrets === undefined) return [];
  if (!(secrets instanceof Map)) return secrets.map((name, at) => ({ name, at }));
  return Array.from(secrets, ([name, own]) => ({ name, at: name, ...(own !== null && { own }) }));
}

/** The names become the last part of a URL, where `.` and `..` have a meaning. */
function checkName({ root, problems, source }: Checked, path: Path, name: string): void {
  if (/^(?!\.{1,2}$)[^/\p{Cc}]+$/u.test(name)) return;
  const message = `the secret "${name}" of ${describe(path.slice(0, -2))} needs a name without "/"`;
  problems.add(source.error(message, rangeOf(root, path), 'choose another name'));
}

function checkAllowed(
  { root, problems, source }: Checked,
  path: Path,
  { type }: SecretConfig,
  { providers, allowCommands }: SecretRules,
): void {
  const refuse = (what: string, hint: string): void => {
    problems.add(source.error(`${describe(path)} ${what}`, rangeOf(root, path), hint));
  };
  switch (type) {
    case 'command':
      if (allowCommands) return;
      refuse(
        'runs a command on this machine, which is not allowed',
        'pass --allow-secret-commands to allow it',
      );
      return;
    case 'file':
    case 'env':
      if (providers.includes(type)) return;
      refuse(
        `is of type "${type}", which is not allowed`,
        providers.length === 0 ? 'leave out --secrets=false' : `allow it with --sec-providers file,env`,
      );
  }
}

function reportUndeclared(
  { root, problems, source }: Checked,
  stepPath: Path,
  path: Path,
  name: string,
  declared: BuildSecrets,
): void {
  const known = [...declared.keys()];
  const otherwise =
    known.length === 0
      ? 'declare it in "secrets" of "build"'
      : `"secrets" of "build" has ${known.slice(0, 10).join(', ')}`;
  problems.add(
    source.error(
      `${describe(stepPath)} names the secret "${name}", which the build does not declare`,
      rangeOf(root, path),
      didYouMean(name, known, otherwise),
    ),
  );
}

/** Lists, names alone and the short forms came later than the key. */
function checkForms(checked: Checked, path: Path, version: SchemaVersion): void {
  const node = nodeAt(checked.root, path);
  if (node === undefined || node.kind === 'empty' || (node.kind === 'text' && node.text === '')) return;
  requireVersion(checked, path, version, '2016-03-14');
  if (node.kind !== 'map') {
    requireVersion(checked, path, version, '2026-11-22', 'the list form of ');
    return;
  }
  for (const [name, { value }] of node.entries) {
    const long = value.kind === 'map' && (value.entries.has('type') || value.entries.has('value'));
    if (!long) requireVersion(checked, [...path, name], version, '2026-11-22', 'the short form of ');
  }
}

function absolutePath(path: string, workDirectory: string, home: string): string {
  const isAtHome = path === '~' || path.startsWith('~/');
  return isAtHome ? resolve(home, path.slice(2)) : resolve(workDirectory, path);
}

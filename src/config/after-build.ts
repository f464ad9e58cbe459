/** What happens to a step's image once it is built: cleanup, squash, and what the latter stops at. */
import type { CleanupSpec, PlannedBase, PlannedStep, StepReference } from '../core/plan.js';
import type { Base } from '../dockerfile/stages.js';
import { given } from './dockerfiles.js';
import { describe, keyRange, type Checked } from './issues.js';
import type { PartialStepConfig } from './schema.js';
import { stepPath, type Step } from './steps.js';

/**
 * Cleanup without squash would leave what it removes in the layers below: it implies squash unless the step refuses it.
 * @param skip `--no-cleanup`: neither of them
 */
export function afterBuild(
  { cleanup, squash }: PartialStepConfig,
  skip: boolean,
): Pick<PlannedStep, 'cleanup' | 'squash'> {
  if (skip) return {};
  const spec = cleanupSpec(cleanup);
  const implied = spec === undefined ? false : 'base';
  const scope = squash === true ? 'base' : (squash ?? implied);
  return {
    ...(spec !== undefined && { cleanup: spec }),
    ...(scope !== false && { squash: scope }),
  };
}

/** Undefined where there is no command to run. */
function cleanupSpec(cleanup: PartialStepConfig['cleanup']): CleanupSpec | undefined {
  const commands = (cleanup?.commands ?? []).filter((command) => command !== '');
  if (commands.length === 0) return undefined;
  const user = given(cleanup?.user);
  const network = cleanup?.network ?? undefined;
  return { commands, ...(user !== undefined && { user }), ...(network !== undefined && { network }) };
}

/** Tells what the keys of a step say but do not bring about; nothing with `--no-cleanup`, where none of them counts. */
export function warnOfCleanup(
  { label, config }: Step,
  { root, source, problems }: Checked,
  skip: boolean,
): void {
  if (skip) return;
  const warn = (key: string, message: string, hint: string): void => {
    const range = keyRange(root, stepPath(label, key));
    problems.add({ ...source.error(message, range, hint), severity: 'warning' });
  };
  const what = `"cleanup" of ${describe(stepPath(label))}`;
  const cleans = cleanupSpec(config.cleanup) !== undefined;
  if (cleans && config.squash === false) {
    warn('squash', `what ${what} removes stays in the layers below`, 'remove "squash: false"');
  }
  if (!cleans && (given(config.cleanup?.user) ?? config.cleanup?.network)) {
    warn(
      'cleanup',
      `${what} has no commands, so it does nothing`,
      'add "commands:" with a list, or remove it',
    );
  }
}

/** @param base `undefined` for `scratch` */
export function plannedBase(base: Base | undefined, references: readonly StepReference[]): PlannedBase {
  if (base === undefined) return { kind: 'scratch' };
  const reference = references.find(({ start }) => start === base.start);
  if (reference !== undefined) return { kind: 'step', label: reference.label };
  return { kind: 'image', reference: base.image };
}

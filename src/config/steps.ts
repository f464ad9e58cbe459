/** The steps of a build file, each checked on its own: sound keys of a faulty step still take part in later checks. */
import type { SchemaVersion } from '../core/plan.js';
import { imageKey, parseImageName, withUid, type ImageName } from './image-name.js';
import { describe, keyRange, rangeOf, reportIssues, toPlain, type Checked } from './issues.js';
import { fileSchema, partialStepSchema, stepSchema, type PartialStepConfig } from './schema.js';
import { didYouMean } from './suggest.js';
import type { ConfigNode, Entry } from './tree.js';
import { checkVersion } from './versions.js';

export interface Step {
  readonly label: string;
  readonly config: PartialStepConfig;
  /** The image name as written, `_env()` replaced; absent when it is missing or no text. */
  readonly writtenName?: string;
  /** With `--uid`; absent when there is no valid one. */
  readonly image?: ImageName;
}

export interface CheckedFile {
  readonly version: SchemaVersion;
  /** In the order of the file. */
  readonly steps: readonly Step[];
}

/** The path of a step, or of a value in it, in the tree. */
export function stepPath(label: string, ...rest: readonly (string | number)[]): readonly (string | number)[] {
  return ['build', 'steps', label, ...rest];
}

/** @returns undefined when so much is wrong that there are no steps to speak of */
export function checkSteps(checked: Checked, uid: string | undefined): CheckedFile | undefined {
  const { root, problems, source } = checked;
  const file = fileSchema.safeParse(toPlain(root));
  if (!file.success) reportIssues(checked, [], file.error.issues);
  const build = root.kind === 'map' ? root.entries.get('build')?.value : undefined;
  if (build?.kind !== 'map') return undefined;
  if (build.entries.has('work_dir')) {
    const warning = source.error(
      '"work_dir" has no effect',
      keyRange(root, ['build', 'work_dir']),
      'pass the work directory with -d',
    );
    problems.add({ ...warning, severity: 'warning' });
  }
  const steps = build.entries.get('steps')?.value;
  if (steps?.kind !== 'map') return undefined;
  if (steps.entries.size === 0) {
    problems.add(
      source.error(
        '"steps" has no step',
        keyRange(root, ['build', 'steps']),
        'add a label for each step below "steps:"',
      ),
    );
  }
  const version = file.data?.build.version ?? '2026-11-22';
  const found = Array.from(steps.entries, ([label, entry]) => checkStep(checked, label, entry, version, uid));
  reportSameNames(checked, found);
  return { version, steps: found };
}

function checkStep(
  checked: Checked,
  label: string,
  { key, value }: Entry,
  version: SchemaVersion,
  uid: string | undefined,
): Step {
  const { root, problems, source } = checked;
  if (label === '' || /\p{Cc}/u.test(label)) {
    problems.add(
      source.error('a step needs a label without control characters', key, 'choose another label'),
    );
  }
  const config = checkConfig(checked, label, value);
  checkVersion(checked, stepPath(label), version);
  const { name } = config;
  if (name === undefined) return { label, config };
  const parsed = parseImageName(withUid(name, uid));
  if (parsed.kind === 'name') return { label, config, writtenName: name, image: parsed.name };
  const message = `"name" of ${describe(stepPath(label))} is not a valid image name: ${parsed.why}`;
  problems.add(source.error(message, rangeOf(root, stepPath(label, 'name')), parsed.hint));
  return { label, config, writtenName: name };
}

function checkConfig(checked: Checked, label: string, node: ConfigNode): PartialStepConfig {
  // A label with nothing below is a step with no keys.
  const plain = (node.kind === 'empty' ? Object.create(null) : toPlain(node)) as unknown;
  const whole = stepSchema.safeParse(plain);
  if (whole.success) return whole.data;
  const { issues } = whole.error;
  reportIssues(checked, stepPath(label), issues);
  if (node.kind !== 'map') return {};
  const sound = Object.create(null) as Record<string, unknown>;
  const faulty = new Set(issues.map((issue) => issue.path[0]));
  for (const [key, entry] of node.entries) {
    if (Object.hasOwn(stepSchema.shape, key) && !faulty.has(key)) sound[key] = toPlain(entry.value);
  }
  return partialStepSchema.parse(sound);
}

function reportSameNames({ root, problems, source }: Checked, steps: readonly Step[]): void {
  const first = new Map<string, string>();
  for (const { label, image } of steps) {
    if (image === undefined) continue;
    const name = `${image.repository}:${image.tag}`;
    const key = imageKey(name) ?? name;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, label);
      continue;
    }
    const line = String(source.place(rangeOf(root, stepPath(other, 'name'))).line);
    const range = rangeOf(root, stepPath(label, 'name'));
    const message = `the steps "${other}" and "${label}" both build the image "${name}"`;
    problems.add(
      source.error(message, range, `give one of them another name; "${other}" has its name in line ${line}`),
    );
  }
}

const MOST_HINTS = 50;

/** Finds a step by what the user calls it: its label, else its image name. */
export class StepNames {
  readonly #labels = new Set<string>();
  readonly #byName = new Map<string, string>();
  readonly #byKey = new Map<string, string>();
  #hints = 0;

  constructor(steps: readonly Step[]) {
    for (const { label, writtenName } of steps) {
      this.#labels.add(label);
      if (writtenName === undefined) continue;
      if (!this.#byName.has(writtenName)) this.#byName.set(writtenName, label);
      const key = imageKey(writtenName);
      if (key !== undefined && !this.#byKey.has(key)) this.#byKey.set(key, label);
    }
  }

  /** The label of the step so called. */
  find(called: string): string | undefined {
    return this.#labels.has(called) ? called : (this.#byName.get(called) ?? this.ofImage(called));
  }

  /** The label of the step whose image this reference means. */
  ofImage(reference: string): string | undefined {
    const key = imageKey(reference);
    return key === undefined ? undefined : this.#byKey.get(key);
  }

  /** What to say of a name that is no step's; nothing any more to whoever gets many wrong, since it takes long to find. */
  hint(called: string): string | undefined {
    if (++this.#hints > MOST_HINTS) return undefined;
    const labels = [...this.#labels];
    const all = labels.length > 10 ? undefined : `the steps are ${labels.join(', ')}`;
    return didYouMean(called, [...labels, ...this.#byName.keys()], all);
  }
}

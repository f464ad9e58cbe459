/** Finds build args and Dockerfile values that hold a declared secret: they would stay in the image's config and history. */
import type { Plan, PlannedStep } from '../core/plan.js';
import type { Secret } from '../core/secrets.js';
import { ConfigError, Problems, type Diagnostic } from './diagnostic.js';
import { writtenValues } from './dockerfile-values.js';
import type { Located, LocateArg } from './load.js';
import { maskedPlace } from './masked-place.js';
import { SourceText, type Range } from './source.js';

/** Shorter ones occur by chance inside of other words: they only count where they are the whole value. */
const SHORTEST_PART = 8;
/** A line of a secret that may stand for it, such as one of a key; not the heading that all keys share. */
const TELLING_LINE = /^(?!-----).{16,}$/;

interface Searched {
  readonly plan: Plan;
  /** Asked only where there are secrets. */
  readonly locateArg: () => Promise<LocateArg>;
}

/**
 * @param buildArgs those of `--build`
 * @throws {ConfigError} with a diagnostic for each place; none shows a value
 */
export async function refuseSecretValues(
  searched: Searched,
  secrets: readonly Secret[],
  buildArgs: Readonly<Record<string, string>>,
): Promise<void> {
  const [first, ...others] = await findSecretValues(searched, secrets, buildArgs);
  if (first !== undefined) throw new ConfigError([first, ...others]);
}

/** In the order of the command line, the plan, and each Dockerfile; each place once. */
async function findSecretValues(
  { plan, locateArg }: Searched,
  secrets: readonly Secret[],
  buildArgs: Readonly<Record<string, string>>,
): Promise<readonly Diagnostic[]> {
  const known = secrets.map(knownSecret).filter(({ values }) => values.length > 0);
  if (known.length === 0) return [];
  const locate = await locateArg();
  const hits = [
    ...Object.entries(buildArgs).flatMap(([name, value]) =>
      holding([value], known).map((secret): Hit => ({ what: `--build ${name}`, secret })),
    ),
    ...plan.steps.flatMap((step) => [...hitsInArgs(step, locate, known), ...hitsInDockerfile(step, known)]),
  ];
  const problems = new Problems();
  for (const { what, secret, at } of hits) {
    const message = `${what} holds the value of the secret "${secret.name}"`;
    const hint = adviceFor(secret);
    if (at === undefined) {
      problems.add({ severity: 'error', message, file: plan.file, hint });
      continue;
    }
    const { source, range } = at;
    const hidden = hits.flatMap((hit) => (hit.at?.source.file === source.file ? [hit.at.hidden] : []));
    const place = maskedPlace(
      source,
      range,
      hidden,
      known.flatMap(({ values }) => values),
    );
    problems.add({ severity: 'error', message, file: source.file, place, hint });
  }
  return problems.all();
}

interface Hit {
  /** E.g. `ENV TOKEN`. */
  readonly what: string;
  readonly secret: KnownSecret;
  /** Absent: on the command line. */
  readonly at?: Located & {
    /** The value as written: quotes and escapes may spell a secret in other letters. */
    readonly hidden: Range;
  };
}

function hitsInArgs(
  { label, args }: PlannedStep,
  locateArg: LocateArg,
  known: readonly KnownSecret[],
): readonly Hit[] {
  return Object.entries(args).flatMap(([name, value]) => {
    const located = locateArg(label, name);
    if (located === undefined) return [];
    const at = { ...located, hidden: located.range };
    return holding([value], known).map((secret) => ({
      what: `"${name}" of "args" of step "${label}"`,
      secret,
      at,
    }));
  });
}

function hitsInDockerfile({ dockerfile }: PlannedStep, known: readonly KnownSecret[]): readonly Hit[] {
  const { path, content } = dockerfile;
  const [bom] = content.toString('utf8').match(/^\ufeff/) ?? [''];
  const source = new SourceText(path, content.toString('utf8').slice(bom.length));
  const unit = (byte: number): number => content.toString('utf8', 0, byte).length - bom.length;
  return writtenValues(content).flatMap(({ what, value, written, start, valueStart, end }) =>
    holding([value, written], known).map((secret) => ({
      what,
      secret,
      at: {
        source,
        range: [unit(start), unit(end)] as const,
        hidden: [unit(valueStart), unit(end)] as const,
      },
    })),
  );
}

interface KnownSecret extends Pick<Secret, 'name' | 'type'> {
  /** What counts as it: all of it, and each line that is long enough. */
  readonly values: readonly string[];
}

/** Files end with a line break that nobody means. What is no text stands in no text. */
function knownSecret({ name, type, value }: Secret): KnownSecret {
  const text = value.toString('utf8');
  const whole = withoutLineBreak(text);
  if (whole === '' || !Buffer.from(text).equals(value)) return { name, type, values: [] };
  const lines = whole.split(/\r?\n/).filter((line) => TELLING_LINE.test(line));
  return { name, type, values: [...new Set([whole, ...lines])] };
}

function holding(values: readonly string[], known: readonly KnownSecret[]): readonly KnownSecret[] {
  const given = values.map(withoutLineBreak);
  const holds = (secret: string): boolean =>
    given.some((value) => value === secret || (secret.length >= SHORTEST_PART && value.includes(secret)));
  return known.filter((secret) => secret.values.some(holds));
}

function withoutLineBreak(text: string): string {
  return text.replace(/\r?\n$/, '');
}

function adviceFor({ name, type }: KnownSecret): string {
  const ways = `--mount=type=secret,id=${name}, or /v1/secrets/${type}/${name} of the secrets service`;
  return `it would stay in the image; remove it here and let RUN read it: ${ways}`;
}

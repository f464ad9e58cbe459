/** The fingerprint of a step: one ID for all that its image is made from, and a short digest for each part of that. */
import { createHmac } from 'node:crypto';
import type { ArtifactSpec, CleanupSpec, SquashScope, StepReference } from '../core/plan.js';
import type { Builder, EngineInfo, Limits } from '../core/ports.js';

/** Raised when the same inputs would make another image, or are encoded in another way. */
const FORMAT = 4;
/** Hex characters of a part's digest: enough to tell two values apart. */
const PART = 16;

export interface StepInputs {
  /** Of this program. */
  readonly version: string;
  /** As the user wrote it; the session's names are not in it. */
  readonly dockerfile: Buffer;
  /** The places of it that name other steps. */
  readonly references: readonly StepReference[];
  readonly target?: string;
  /** Without those that change from session to session, as a secrets service's. */
  readonly args: Readonly<Record<string, string>>;
  readonly network: string;
  readonly limits: Limits;
  readonly builder: Builder;
  readonly engine: { readonly id: string; readonly store: EngineInfo['store'] };
  /** References of all images that the Dockerfile takes from elsewhere → their IDs on the engine. */
  readonly bases: Readonly<Record<string, string>>;
  /** Labels of the steps it depends on → what stands for their results: the image ID, so that a step built anew shows. */
  readonly steps: Readonly<Record<string, string>>;
  /** In the order in which they are laid over the context. */
  readonly artifacts: readonly TakenArtifact[];
  /** ContextDigest.digest; absent: the step reads no context. */
  readonly context?: string;
  readonly cleanup?: CleanupSpec;
  readonly squash?: SquashScope;
  /** Name → keyed digest. */
  readonly secrets: Readonly<Record<string, string>>;
  /** IDs of SshSpec. */
  readonly ssh: readonly string[];
}

/** An artifact in the step's context, of a step before it, which need not be a direct one. */
export interface TakenArtifact extends ArtifactSpec {
  readonly step: string;
  /** As in `StepInputs.steps`. */
  readonly result: string;
}

export interface Fingerprint {
  /** Hex. */
  readonly id: string;
  /** Digests by names that users read, e.g. `build arg VERSION`; for telling what has changed, not whether. */
  readonly parts: Readonly<Record<string, string>>;
}

/** Anything that JSON writes in one way only: keys of records come sorted. */
type Value = string | number | null | readonly Value[];

/**
 * @param key a secret of this user: digests of short values could be guessed without it. Another key makes every fingerprint
 * another one.
 */
export function fingerprintOf(inputs: StepInputs, key: Buffer): Fingerprint {
  const digest = (value: Value): string =>
    createHmac('sha256', key).update(JSON.stringify(value)).digest('hex');
  const parts = partsOf(inputs).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    id: digest(parts),
    // Only who builds or explains needs them.
    get parts() {
      return Object.fromEntries(parts.map((part) => [part[0], digest(part).slice(0, PART)]));
    },
  };
}

/** What stands for a step's command in a record: commands may hold secrets. */
export function commandDigest(command: string, key: Buffer): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(['command', command]))
    .digest('hex');
}

/** Every name once: no two kinds of parts begin alike. */
function partsOf(inputs: StepInputs): (readonly [name: string, value: Value])[] {
  const { limits, engine, cleanup } = inputs;
  const named = (kind: string, record: Readonly<Record<string, string>>) =>
    Object.entries(record).map(([name, value]) => [`${kind} ${name}`, value] as const);
  return [
    ['Habitus', [FORMAT, inputs.version]],
    ['Dockerfile', inputs.dockerfile.toString('latin1')],
    ['target', inputs.target ?? null],
    ['network', inputs.network],
    ['limits', [limits.memory ?? null, limits.cpusetCpus ?? null, limits.cpuShares ?? null]],
    ['builder', inputs.builder],
    ['engine', [engine.id, engine.store]],
    ['context', inputs.context ?? null],
    ['cleanup', cleanupValue(cleanup)],
    ['squash', inputs.squash ?? null],
    ...named('build arg', inputs.args),
    ...named('base image', inputs.bases),
    ...stepParts(inputs),
    ...artifactParts(inputs.artifacts),
    ...named('secret', inputs.secrets),
    ...[...new Set(inputs.ssh)].map((id) => [`ssh ${id}`, null] as const),
  ];
}

function cleanupValue(cleanup: CleanupSpec | undefined): Value {
  return cleanup === undefined ? null : [cleanup.commands, cleanup.user ?? null, cleanup.network ?? null];
}

/** A step's result, and the places that mean it: two steps may change names. */
function stepParts({ steps, references }: StepInputs): (readonly [string, Value])[] {
  const results = new Map(Object.entries(steps));
  const labels = new Set([...results.keys(), ...references.map(({ label }) => label)]);
  return [...labels].map((label) => {
    const places = references.filter((one) => one.label === label).map(({ start, end }) => [start, end]);
    return [`step ${label}`, [results.get(label) ?? null, places]];
  });
}

/** Later ones win: their order counts, apart from them so that one more does not change them all. */
function artifactParts(artifacts: readonly TakenArtifact[]): (readonly [string, Value])[] {
  if (artifacts.length === 0) return [];
  const named = artifacts.map(({ step, source, destination, result }) => {
    const place = destination === '' ? source : `${source}:${destination}`;
    return { name: `artifact ${place} of step ${step}`, value: [step, source, destination, result] };
  });
  const byName = new Map<string, Value[]>();
  for (const { name, value } of named) byName.set(name, [...(byName.get(name) ?? []), value]);
  return [...byName, [ARTIFACT_ORDER, named.map(({ value }) => value.slice(0, 3))]];
}

export const ARTIFACT_ORDER = 'order of artifacts';

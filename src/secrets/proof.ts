/** The proof of a build: all that leaves is searched for all of its secrets. */
import type { Leaving, LeavingImage, Prove, ProofFinding, ProofReport, Secret } from '../core/secrets.js';
import { needlesOf } from './encodings.js';
import { Matcher } from './matcher.js';
import { proveArtifact } from './prove-content.js';
import { proveImage, type ImageFinding } from './prove-image.js';
import { maskText } from './search-mask.js';
import { describeUnsearched, whereIn } from './search-words.js';

/** @param secrets with values that differ @param base whether the layers of base images are searched, too */
export function createProof(secrets: readonly Secret[], base: boolean): Prove {
  const named = uniquelyNamed(secrets);
  const { needles, unproven } = needlesOf(named);
  const told = named.map(({ name, digest }) => ({ name, digest, provable: !unproven.includes(name) }));
  const matcher = needles.length === 0 ? undefined : new Matcher(needles);
  return async (leaving, signal) => {
    const found = matcher === undefined ? NOTHING : await search(leaving, matcher, base, signal);
    const report: ProofReport = {
      result: found.findings.length === 0 ? 'clean' : 'found',
      secrets: told,
      images: leaving.images.map((image) => {
        const searched = found.layers.get(image.step) ?? [];
        const notSearched = image.layers.filter((layer) => !searched.includes(layer));
        const { step, imageId, names } = image;
        return { step, imageId, names, searched, notSearched };
      }),
      artifacts: leaving.artifacts.map(({ step, artifact }) => ({ step, path: artifact.source.source })),
      bytes: found.bytes,
      findings: found.findings,
      limits: found.limits,
    };
    // The report leaves, too: a name or a path may be what has been found.
    return matcher === undefined ? report : masked(report, matcher);
  };
}

/** The same plain data, with every secret in its texts as `***`. */
function masked<T>(value: T, matcher: Matcher): T {
  if (typeof value === 'string') return maskText(value, matcher) as T;
  if (Array.isArray(value)) return value.map((one: unknown) => masked(one, matcher)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]: [string, unknown]) => [key, masked(one, matcher)]),
  ) as T;
}

type Found = Pick<ProofReport, 'findings' | 'limits' | 'bytes'> & {
  /** By step: diff IDs of the layers searched. */
  readonly layers: ReadonlyMap<string, readonly string[]>;
};

const NOTHING: Found = { findings: [], limits: [], bytes: 0, layers: new Map() };

/** One after the other: each image goes to disk while it is searched. */
async function search(
  { images, artifacts }: Leaving,
  matcher: Matcher,
  base: boolean,
  signal: AbortSignal,
): Promise<Found> {
  const findings: ProofFinding[] = [];
  const limits: string[] = [];
  const layers = new Map<string, readonly string[]>();
  let bytes = 0;
  for (const image of images) {
    const { step, layers: diffIds, baseLayers, names } = image;
    const proof = await proveImage(
      await image.save(signal),
      { diffIds, baseLayers, names },
      matcher,
      signal,
      { base },
    );
    findings.push(...proof.findings.map((finding) => inImage(finding, image)));
    limits.push(...proof.limits.map((limit) => `${step}: ${describeUnsearched(limit)}`));
    layers.set(step, proof.layers);
    bytes += proof.bytes;
  }
  for (const { step, artifact } of artifacts) {
    const proof = await proveArtifact(artifact, matcher, signal);
    findings.push(
      ...proof.findings.map(({ secret, encoding, within }): ProofFinding => {
        return { secret, encoding, step, kind: 'artifact', path: within };
      }),
    );
    limits.push(...proof.limits.map((limit) => `${step}: artifact ${describeUnsearched(limit)}`));
    bytes += proof.bytes;
  }
  return { findings, limits, bytes, layers };
}

function inImage({ secret, encoding, place }: ImageFinding, { step, names }: LeavingImage): ProofFinding {
  return { secret, encoding, step, image: names.join(', '), ...whereIn(place) };
}

/** Steps may call different values by one name. */
function uniquelyNamed(secrets: readonly Secret[]): readonly Secret[] {
  const seen = new Map<string, number>();
  return secrets.map((secret) => {
    const count = (seen.get(secret.name) ?? 0) + 1;
    seen.set(secret.name, count);
    return count === 1 ? secret : { ...secret, name: `${secret.name} (${count})` };
  });
}

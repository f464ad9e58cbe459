/** The JSON documents of image archives, and how much of each is taken on trust: nothing. */
import { ImageError } from './errors.js';
import { quoted } from './names.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** A reference to a blob (OCI image spec, "Descriptors"); other keys are kept as they are. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [key: string]: unknown;
}

/** An item of `manifest.json`. */
export interface DockerManifest {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** What is read of a config; the rest goes through unread. */
export interface ConfigFacts {
  readonly diffIds: readonly string[];
  /** Of each entry of the history: whether it made no layer. */
  readonly emptyLayers: readonly boolean[];
  readonly os: string | undefined;
  readonly architecture: string | undefined;
}

export const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** @param what for the message, e.g. `manifest.json` @throws ImageError */
export function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (error) {
    throw new ImageError('corrupt', `${quoted(what)} of the image archive is not JSON`, { cause: error });
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && DIGEST.test(value);
}

export function dockerManifests(value: unknown): readonly DockerManifest[] {
  const wrong = () => malformed('manifest.json');
  if (!Array.isArray(value)) throw wrong();
  return value.map((item: unknown) => {
    if (!isObject(item) || typeof item['Config'] !== 'string') throw wrong();
    const { RepoTags: tags, Layers: layers } = item;
    if (!isStrings(layers) || !(tags === undefined || tags === null || isStrings(tags))) throw wrong();
    return { config: item['Config'], tags: tags ?? [], layers };
  });
}

/** The descriptors of an index. */
export function indexManifests(value: unknown, what: string): readonly Descriptor[] {
  if (!isObject(value) || !Array.isArray(value['manifests'])) throw malformed(what);
  return value['manifests'].map((item: unknown) => descriptor(item, what));
}

export function imageManifest(value: unknown, what: string): ImageManifest {
  if (!isObject(value) || !Array.isArray(value['layers'])) throw malformed(what);
  return {
    config: descriptor(value['config'], what),
    layers: value['layers'].map((item: unknown) => descriptor(item, what)),
  };
}

export function configFacts(value: unknown, what: string): ConfigFacts {
  const rootfs = isObject(value) ? value['rootfs'] : undefined;
  if (!isObject(value) || !isObject(rootfs)) throw malformed(what);
  const diffIds: unknown = rootfs['diff_ids'] ?? [];
  const history: unknown = value['history'] ?? [];
  if (!Array.isArray(diffIds) || !diffIds.every(isDigest) || !Array.isArray(history)) throw malformed(what);
  return {
    diffIds,
    emptyLayers: history.map((entry: unknown) => {
      if (!isObject(entry)) throw malformed(what);
      return entry['empty_layer'] === true;
    }),
    os: string(value['os']),
    architecture: string(value['architecture']),
  };
}

/** Whether a descriptor of an index is of an attestation (BuildKit's SBOM and provenance) rather than an image. */
export function isAttestation(manifest: Descriptor): boolean {
  const { annotations, platform } = manifest;
  if (isObject(annotations) && annotations['vnd.docker.reference.type'] === 'attestation-manifest')
    return true;
  return isObject(platform) && platform['os'] === 'unknown' && platform['architecture'] === 'unknown';
}

function descriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw malformed(what);
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== 'string' || !isDigest(digest) || typeof size !== 'number') throw malformed(what);
  return { ...value, mediaType, digest, size };
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function malformed(what: string): ImageError {
  return new ImageError('corrupt', `${quoted(what)} of the image archive is malformed`);
}

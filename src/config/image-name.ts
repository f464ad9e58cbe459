/** Image names by the reference grammar of the distribution project, and which of them mean the same image. */

/** `[HOST[:PORT]/]PATH[:TAG]`, split; `tag` is `latest` when none is written. */
export interface ImageName {
  /** Host and path as written, e.g. `registry.example:5000/team/app`. */
  readonly repository: string;
  readonly tag: string;
}

export type ParsedImageName =
  | { readonly kind: 'name'; readonly name: ImageName }
  /** `why` follows "is not a valid image name: ". */
  | { readonly kind: 'invalid'; readonly why: string; readonly hint?: string };

// https://github.com/distribution/reference/blob/main/reference.go (the grammar in its package comment)
const HOST =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const MAX_REPOSITORY = 255;

export function parseImageName(text: string): ParsedImageName {
  const invalid = (why: string, hint?: string): ParsedImageName => ({
    kind: 'invalid',
    why,
    ...(hint !== undefined && { hint }),
  });
  if (text === '') return invalid('it is empty');
  if (text.includes('@'))
    return invalid('a digest names an image that exists already', 'remove the "@" and what follows');
  const { repository, tag } = split(text);
  if (repository === '') return invalid('nothing stands before the ":"');
  if (tag !== undefined && !TAG.test(tag)) {
    return invalid(
      `the tag "${tag}" must be 1 to 128 letters, digits, "_", "." and "-", and not begin with "." or "-"`,
    );
  }
  if (repository.length > MAX_REPOSITORY)
    return invalid(`it has more than ${String(MAX_REPOSITORY)} characters`);
  const { host, path } = splitHost(repository);
  if (host !== undefined && !HOST.test(host)) return invalid(`"${host}" is not a registry host`);
  const lower = path.toLowerCase();
  const wrong = path.split('/').find((component) => !COMPONENT.test(component));
  if (wrong !== undefined) {
    if (lower.split('/').every((component) => COMPONENT.test(component))) {
      const better = `${host === undefined ? '' : `${host}/`}${lower}${tag === undefined ? '' : `:${tag}`}`;
      return invalid('letters must be in lower case', `write "${better}"`);
    }
    if (wrong === '') return invalid('a part between slashes is empty');
    return invalid(
      `"${wrong}" must be lower-case letters and digits, with single "." or "_", "__" or "-" between them`,
    );
  }
  if (host === undefined && /^[a-f0-9]{64}$/.test(path))
    return invalid('64 hexadecimal digits are an image ID');
  return { kind: 'name', name: { repository, tag: tag ?? 'latest' } };
}

/** `NAME-X[:TAG]` in lower case, as `--uid X` asks; without a uid, the name as it is. */
export function withUid(written: string, uid: string | undefined): string {
  if (uid === undefined || uid === '') return written;
  const { repository, tag } = split(written);
  return `${repository}-${uid}${tag === undefined ? '' : `:${tag}`}`.toLowerCase();
}

/**
 * Two references with the same key mean the same image: `x`, `x:latest` and `docker.io/library/x` do.
 * `undefined` for what can never mean a step's image: references by digest, and what is no reference at all.
 */
export function imageKey(reference: string): string | undefined {
  if (reference.includes('@') || reference === '') return undefined;
  const { repository, tag = 'latest' } = split(reference);
  const { host = 'docker.io', path } = splitHost(repository);
  if (path === '' || tag === '') return undefined;
  const hub = host === 'docker.io' || host === 'index.docker.io';
  const full = hub && !path.includes('/') ? `library/${path}` : path;
  // Names before --uid may hold capitals, which the final name does not: cases of the repository do not count here.
  return `${hub ? 'docker.io' : host}/${full}`.toLowerCase() + `:${tag}`;
}

/** The tag begins at the last `:` after the last `/`; an earlier one belongs to the host's port. */
function split(text: string): { readonly repository: string; readonly tag?: string } {
  const colon = text.indexOf(':', text.lastIndexOf('/') + 1);
  if (colon === -1) return { repository: text };
  return { repository: text.slice(0, colon), tag: text.slice(colon + 1) };
}

/** The first component is a host when it could not be part of a path. */
function splitHost(repository: string): { readonly host?: string; readonly path: string } {
  const slash = repository.indexOf('/');
  const first = repository.slice(0, Math.max(slash, 0));
  if (slash === -1 || !(/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase())) {
    return { path: repository };
  }
  return { host: first, path: repository.slice(slash + 1) };
}

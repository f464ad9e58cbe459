/** What the words of the commands on single images mean: paths, image names, IDs, numbers of layers. */
import { UsageError } from '../core/errors.js';
import type { ImageInput } from '../core/image-input.js';
import type { Stays } from '../core/squash-base.js';
import { parseImageName } from './image-name.js';

const PATH = /^(?:\/|\.\.?\/)|\.(?:tar|tar\.gz|tgz)$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const ID = /^(?:sha256:)?[0-9a-f]{64}$/;

/**
 * By the look of the word alone: what files there are must not change what a command means.
 * @param what for messages, e.g. `the base`
 * @throws UsageError for what is neither a path nor a reference
 */
export function readImageInput(word: string, what = 'the image'): ImageInput {
  if (PATH.test(word)) return { kind: 'file', path: word };
  if (word === '-')
    throw new UsageError(`${what} cannot be read from standard input, as it is read twice`, {
      hint: 'Write it to a file first, such as image.tar.',
    });
  if (ID.test(word)) return { kind: 'image', reference: word };
  const [named = '', digest, ...more] = word.split('@');
  const isDigest = digest === undefined || (more.length === 0 && DIGEST.test(digest));
  const parsed = parseImageName(named);
  if (parsed.kind === 'invalid' || !isDigest) {
    const why = parsed.kind === 'invalid' ? parsed.why : 'what follows the "@" is no sha256 digest';
    throw new UsageError(`${what} ${JSON.stringify(word)} is neither an image name nor a path: ${why}`, {
      hint: 'A path begins with "/", "./" or "../", or ends in .tar, .tar.gz or .tgz.',
    });
  }
  if (digest !== undefined) return { kind: 'image', reference: word };
  return { kind: 'image', reference: word, name: listedName(parsed.name.repository, parsed.name.tag) };
}

/** @param word `scratch`, a number of layers, or a base as `readImageInput` takes it; absent: `scratch` @throws UsageError */
export function readStays(word: string | number | undefined): Stays {
  if (word === undefined || word === 'scratch') return { kind: 'layers', count: 0 };
  if (typeof word === 'string' && !/^\d{1,4}$/.test(word))
    return { kind: 'base', input: readImageInput(word, 'the base') };
  const count = Number(word);
  if (Number.isSafeInteger(count) && count >= 0) return { kind: 'layers', count };
  throw new UsageError(`${String(word)} is no number of layers`);
}

/** @returns `repository:tag`, as the engine lists it @throws UsageError */
export function readNewName(word: string): string {
  const parsed = parseImageName(word);
  if (parsed.kind === 'name') return listedName(parsed.name.repository, parsed.name.tag);
  const { why, hint } = parsed;
  throw new UsageError(`${JSON.stringify(word)} is not a valid image name: ${why}`, {
    ...(hint !== undefined && { hint: `${hint.charAt(0).toUpperCase()}${hint.slice(1)}.` }),
  });
}

/** Engines leave out what Docker Hub's names have in common. */
function listedName(repository: string, tag: string): string {
  return `${repository.replace(/^(?:index\.)?docker\.io\/(?:library\/)?/, '')}:${tag}`;
}

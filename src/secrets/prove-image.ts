/** The proof of one image: searches all that `docker save` gives of it for secrets. */
import type { Readable } from 'node:stream';
import type { Keep } from '../image/archive-file.js';
import { ExpansionBudget } from '../image/budget.js';
import { ImageError, layerName } from '../image/errors.js';
import { locateImages, type LocatedImage } from '../image/locate.js';
import { readArchive, type ArchiveFiles } from '../image/read-archive.js';
import { SpoolFile } from '../image/spool-file.js';
import type { Matcher } from './matcher.js';
import { DocumentSearch, instructionsOf, type DocumentPlace } from './prove-documents.js';
import { maskText } from './search-mask.js';
import { searchContent, type SearchLimits, type Unsearched } from './search.js';

/** The chunks in which a layer is read back. */
const CHUNK = 1 << 18;

export interface ProvenImage {
  /** diff IDs of all layers, base first: `RootFS.Layers` of the image. */
  readonly diffIds: readonly string[];
  /** How many of them, from the first on, are the base's. */
  readonly baseLayers: number;
  /** Digest of the config, to tell images of equal layers in one archive apart. */
  readonly config?: string;
  /** Every name that the image is to have. */
  readonly names: readonly string[];
}

export interface ProofOptions {
  /** Search the base's layers, too. */
  readonly base?: boolean;
  readonly limits?: SearchLimits;
}

/** Where in a layer. Texts are masked. */
export interface LayerPlace {
  readonly kind: 'layer';
  /** Its diff ID. */
  readonly layer: string;
  /** Number of the layer, the lowest being 1. */
  readonly number: number;
  /** Which made the layer, as the image's history tells it. */
  readonly instruction: string | undefined;
  /** Paths: in the layer, in the archive at that path, and so on. */
  readonly path: readonly string[];
}

export interface ImageFinding {
  /** The secret's name. */
  readonly secret: string;
  readonly encoding: string;
  readonly place: LayerPlace | DocumentPlace;
}

export interface ImageProof {
  readonly findings: readonly ImageFinding[];
  /** diff IDs of the layers searched, base first. */
  readonly layers: readonly string[];
  /** Bytes searched: of layers, as they are before anything in them is unpacked, and of documents. */
  readonly bytes: number;
  readonly limits: readonly (Unsearched & { /** The diff ID. */ readonly layer?: string })[];
}

/**
 * Every layer is checked against its digest, so what is searched is what the image has. The layers to be searched go to disk
 * (TMPDIR) while the archive is read.
 * @param stream the body of `GET /images/{name}/get`, or a `docker save` or OCI layout tar; read to its end
 * @throws ImageError where the archive is not sound or holds another image, the stream's error, or the signal's reason
 */
export async function proveImage(
  stream: Readable,
  image: ProvenImage,
  matcher: Matcher,
  signal: AbortSignal,
  options: ProofOptions = {},
): Promise<ImageProof> {
  const lowest = options.base === true ? 0 : image.baseLayers;
  const wanted = image.diffIds.slice(lowest);
  await using spool = await SpoolFile.openFor(stream);
  const keep = (diffId: string): Keep => (wanted.includes(diffId) ? 'bytes' : 'nothing');
  const files = await readArchive(stream, { spool, budget: new ExpansionBudget(), keep }, signal);
  const located = choose((await locateImages(files, spool)).images, image);
  const documents = await searchDocuments(files, spool, located, image, matcher);
  const proof: Growing = { ...documents, layers: [], limits: [...documents.limits] };
  for (const [index, diffId] of image.diffIds.entries()) {
    if (index < lowest || proof.layers.includes(diffId)) continue;
    const layer = findLayer(files, located, image, index);
    const chunks = readBack(spool, layer.start, layer.size);
    const instruction = instructionsOf(located.config)[index];
    const place = {
      kind: 'layer',
      layer: diffId,
      number: index + 1,
      instruction: instruction === undefined ? undefined : maskText(instruction, matcher),
    } as const;
    const { limits } = options;
    const found = await searchContent(chunks, matcher, signal, { as: 'layer', ...(limits && { limits }) });
    proof.layers.push(diffId);
    proof.bytes += found.bytes;
    for (const { secret, encoding, within } of found.findings)
      proof.findings.push({ secret, encoding, place: { ...place, path: within } });
    for (const limit of found.limits) proof.limits.push({ ...limit, layer: diffId });
  }
  return proof;
}

interface Growing extends ImageProof {
  readonly findings: ImageFinding[];
  readonly layers: string[];
  readonly limits: ImageProof['limits'][number][];
  bytes: number;
}

function choose(images: readonly LocatedImage[], { diffIds, config }: ProvenImage): LocatedImage {
  const wanted = JSON.stringify(diffIds);
  const found = images.find(
    ({ facts, configDigest }) =>
      JSON.stringify(facts.diffIds) === wanted && (config === undefined || configDigest === config),
  );
  if (found) return found;
  throw new ImageError('mismatch', 'The archive holds another image than the one that was asked for', {
    hint: 'Was the image built again meanwhile? Try once more.',
  });
}

/** The config, the names, and whatever else is in the archive: what a push would carry along is not known here. */
async function searchDocuments(
  files: ArchiveFiles,
  spool: SpoolFile,
  located: LocatedImage,
  image: ProvenImage,
  matcher: Matcher,
): Promise<Pick<Growing, 'findings' | 'bytes' | 'limits'>> {
  const search = new DocumentSearch(matcher);
  const limits: Unsearched[] = [];
  let bytes = located.config.length;
  search.config(located.config);
  for (const name of image.names) search.name(name);
  for (const file of files) {
    const { path, size, content, digest } = file;
    if (content.kind === 'skipped')
      limits.push({
        within: [maskText(path, matcher)],
        kind: 'unsupported',
        reason: 'it is neither a layer nor a document',
      });
    if (content.kind !== 'data' || digest === located.configDigest) continue;
    const document = Buffer.alloc(size);
    await spool.read(document, content.start);
    search.document(path, document);
    bytes += size;
  }
  return { findings: [...search.findings], bytes, limits };
}

function findLayer(
  files: ArchiveFiles,
  located: LocatedImage,
  { diffIds }: ProvenImage,
  index: number,
): { readonly start: number; readonly size: number } {
  const diffId = diffIds[index] ?? '';
  const content = files.get(located.layerPaths[index] ?? '')?.content;
  const name = layerName(index + 1, diffIds.length, diffId);
  const hint = 'Save the image again: the archive seems to be cut off or changed.';
  const details = { layer: index + 1, hint };
  if (content === undefined)
    throw new ImageError('truncated', `${name} is missing in the image archive`, details);
  if (content.kind === 'unreadable') {
    const { trouble, text } = content.problem;
    throw new ImageError(trouble, `${name} ${text}`, { layer: index + 1 });
  }
  if (content.kind !== 'layer') throw new ImageError('corrupt', `${name} is not a tar archive`, details);
  const { start, size } = content;
  if (content.diffId === diffId && start !== undefined) return { start, size };
  throw new ImageError(
    'corrupt',
    `${name} has other content than its digest says: ${content.diffId}`,
    details,
  );
}

async function* readBack(spool: SpoolFile, start: number, size: number): AsyncGenerator<Buffer> {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size));
  for (let at = 0; at < size;) {
    const part = chunk.subarray(0, Math.min(chunk.length, size - at));
    await spool.read(part, start + at);
    at += part.length;
    yield part;
  }
}

/** Writes a squashed image whole, base included, as an archive that every engine and OCI tool can read. */
import { Readable } from 'node:stream';
import { diffIdsOf, json, OCI_LAYOUT, ociIndex, ociManifest, sha256, type Prediction } from './compose.js';
import { rewriteConfig } from './config.js';
import { MEDIA } from './documents.js';
import { HashThread } from './hash-thread.js';
import { blobPath } from './locate.js';
import type { MergedLayer } from './merged-layer.js';
import type { ImageArchive } from './spool.js';
import { END_MARK, fileHeader, filePadding, fileSize, wholeFile } from './tar-writer.js';

const CHUNK = 1 << 18;

export interface FullRequest {
  /** Spooled with `keepBase`. */
  readonly archive: ImageArchive;
  readonly layer: MergedLayer;
  /** `repository[:tag]`; none: an image without a name. */
  readonly names?: readonly string[];
}

export interface FullArchive {
  readonly size: number;
  readonly prediction: Prediction;
  /** ID on the containerd store; `prediction.imageId` is that of graphdrivers. */
  readonly manifestDigest: string;
  stream(signal: AbortSignal): Readable;
}

/** A layer to write, of known digest. */
interface Blob {
  readonly digest: string;
  readonly size: number;
  chunks(signal: AbortSignal): AsyncIterable<Buffer>;
}

/**
 * `docker save`'s form and an OCI layout at once. Blobs are named by their digests, so the new layer is read twice.
 * @throws ImageError, or the signal's reason
 */
export async function composeFullArchive(request: FullRequest, signal: AbortSignal): Promise<FullArchive> {
  const { archive, layer } = request;
  using thread = new HashThread();
  const hash = thread.hasherFor(layer.size);
  for await (const chunk of layer.chunks(signal)) await hash.update(chunk);
  const newDiffId = `sha256:${await hash.digest('hex')}`;
  const config = rewriteConfig(archive.config, { baseLayers: archive.baseLayers, newDiffId });
  const blobs: readonly Blob[] = [
    ...archive.layers.slice(0, archive.baseLayers).map((_, index) => baseBlob(archive, index)),
    { digest: newDiffId, size: layer.size, chunks: (given) => layer.chunks(given) },
  ];
  const manifest = ociManifest(
    config,
    blobs.map(({ digest, size }) => ({ mediaType: MEDIA.layer, digest, size })),
  );
  // Equal layers are one blob.
  const written = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
  const documents = describe(request, config, manifest, blobs);
  const size =
    written.reduce((sum, blob) => sum + fileSize(blobPath(blob.digest), blob.size), 0) +
    documents.length +
    END_MARK.length;

  async function* chunks(given: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    for (const blob of written) {
      yield fileHeader(blobPath(blob.digest), blob.size);
      yield* blob.chunks(given);
      yield filePadding(blob.size);
    }
    yield Buffer.concat([documents, END_MARK]);
  }

  return {
    size,
    prediction: { imageId: sha256(config), diffIds: diffIdsOf(config), config },
    manifestDigest: sha256(manifest),
    stream: (given) => Readable.from(chunks(given), { objectMode: false, signal: given }),
  };
}

function describe(
  { names = [] }: FullRequest,
  config: Buffer,
  manifest: Buffer,
  blobs: readonly Blob[],
): Buffer {
  const tagged = names.map(tagOf);
  const annotations = tagged.map(({ name, tag }) => ({
    'io.containerd.image.name': fullName(name),
    'org.opencontainers.image.ref.name': tag,
  }));
  const dockerManifest = json([
    {
      Config: blobPath(sha256(config)),
      RepoTags: tagged.length === 0 ? null : tagged.map(({ name }) => name),
      Layers: blobs.map(({ digest }) => blobPath(digest)),
    },
  ]);
  return Buffer.concat([
    wholeFile(blobPath(sha256(config)), config),
    wholeFile(blobPath(sha256(manifest)), manifest),
    wholeFile('index.json', ociIndex(manifest, config, annotations)),
    wholeFile('manifest.json', dockerManifest),
    wholeFile('oci-layout', OCI_LAYOUT),
  ]);
}

function baseBlob(archive: ImageArchive, index: number): Blob {
  const layer = archive.layers[index];
  const start = layer?.start;
  if (layer === undefined || start === undefined) throw new Error('The base was not spooled');
  const { size, diffId } = layer;
  return {
    digest: diffId,
    size,
    async *chunks(signal) {
      for (let done = 0; done < size; done += CHUNK) {
        signal.throwIfAborted();
        const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK, size - done));
        await archive.spool.read(chunk, start + done);
        yield chunk;
      }
    },
  };
}

/** A name without a tag means `latest`; a port's colon is no tag's. */
function tagOf(name: string): { readonly name: string; readonly tag: string } {
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  return colon === -1 ? { name: `${name}:latest`, tag: 'latest' } : { name, tag: name.slice(colon + 1) };
}

/** With registry and folder, as the containerd store keeps names: `docker.io/library/x:tag`. */
export function fullName(name: string): string {
  const slash = name.indexOf('/');
  const first = name.slice(0, slash === -1 ? 0 : slash);
  if (first === 'localhost' || /[.:]/.test(first)) return name;
  return slash === -1 ? `docker.io/library/${name}` : `docker.io/${name}`;
}

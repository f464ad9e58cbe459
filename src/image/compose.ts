/** Writes the archive by which an engine that has the base learns the squashed image: its one new layer, never a name. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { rewriteConfig } from './config.js';
import { MEDIA, parseJson, isObject, type Descriptor, type JsonObject } from './documents.js';
import { ImageError } from './errors.js';
import { HashThread } from './hash-thread.js';
import type { MergedLayer } from './merged-layer.js';
import { END_MARK, fileHeader, filePadding, fileSize, wholeFile } from './tar-writer.js';

/** How the engine keeps images, which decides what it can load without the base's layers. */
export type LoadTarget =
  | { readonly store: 'graphdriver' }
  /**
   * Descriptors of the base's layers as this store has them: the first `baseLayers` of `ImageArchive.manifest.layers`,
   * when the archive came from the same store.
   */
  | { readonly store: 'containerd'; readonly baseDescriptors: readonly Descriptor[] };

export interface LoadRequest {
  /** The config of the image as it was built. */
  readonly config: Buffer;
  readonly baseLayers: number;
  readonly layer: MergedLayer;
  readonly target: LoadTarget;
}

/** What the engine will say of the image, if all went well. */
export interface Prediction {
  readonly imageId: string;
  /** All diff IDs, base first: `RootFS.Layers`. */
  readonly diffIds: readonly string[];
  /** The new config, byte for byte. */
  readonly config: Buffer;
}

/** The body of `POST /images/load`. */
export interface LoadArchive {
  /** Bytes of the stream. */
  readonly size: number;
  /**
   * May be called again; the bytes are the same.
   * @param onKnown awaited between the layer and the documents, without which no engine takes it
   */
  stream(signal: AbortSignal, onKnown?: (prediction: Prediction) => Promise<void>): Readable;
  /** Known once a stream was read to its end. @throws Error before */
  prediction(): Prediction;
}

/**
 * The layer comes first: its digest, which the config needs, is known when it has gone by.
 * @throws ImageError where config, layers and descriptors do not fit each other
 */
export function composeLoadArchive(request: LoadRequest): LoadArchive {
  const { layer, target, baseLayers } = request;
  if (target.store === 'containerd' && target.baseDescriptors.length !== baseLayers)
    throw new ImageError(
      'mismatch',
      `The base has ${baseLayers} layers, but ${target.baseDescriptors.length} of its manifest are known`,
    );
  const layerPath = target.store === 'graphdriver' ? 'layer.tar' : 'blobs/layer';
  // Digests have one length, so any gives the size of the documents.
  const sample = documents(request, `sha256:${'0'.repeat(64)}`);
  const size =
    fileSize(layerPath, layer.size) +
    sample.files.reduce((sum, [path, body]) => sum + fileSize(path, body.length), 0) +
    END_MARK.length;
  let prediction: Prediction | undefined;

  async function* chunks(
    signal: AbortSignal,
    onKnown: (prediction: Prediction) => Promise<void>,
  ): AsyncGenerator<Buffer, void, undefined> {
    yield fileHeader(layerPath, layer.size);
    using thread = new HashThread();
    const hash = thread.hasherFor(layer.size);
    for await (const chunk of layer.chunks(signal)) {
      await hash.update(chunk);
      yield chunk;
    }
    yield filePadding(layer.size);
    const known = documents(request, `sha256:${await hash.digest('hex')}`);
    prediction = known.prediction;
    await onKnown(prediction);
    yield Buffer.concat([...known.files.map(([path, body]) => wholeFile(path, body)), END_MARK]);
  }

  return {
    size,
    stream: (signal, onKnown = () => Promise.resolve()) =>
      Readable.from(chunks(signal, onKnown), { objectMode: false, signal }),
    prediction: () => {
      if (prediction) return prediction;
      throw new Error('The archive was not read to its end');
    },
  };
}

interface Documents {
  /** Path and content, in the order of the archive. */
  readonly files: readonly (readonly [string, Buffer])[];
  readonly prediction: Prediction;
}

function documents({ config: built, baseLayers, layer, target }: LoadRequest, newDiffId: string): Documents {
  const config = rewriteConfig(built, { baseLayers, newDiffId });
  const diffIds = diffIdsOf(config);
  switch (target.store) {
    case 'graphdriver': {
      // Layers that the engine has are found by their diff IDs: their files need not exist.
      const layers = [...diffIds.slice(0, -1).map((_, index) => `base${index}`), 'layer.tar'];
      const manifest = json([{ Config: 'config.json', Layers: layers }]);
      return {
        files: [
          ['config.json', config],
          ['manifest.json', manifest],
        ],
        prediction: { imageId: sha256(config), diffIds, config },
      };
    }
    case 'containerd': {
      const manifest = ociManifest(config, [
        ...target.baseDescriptors,
        { mediaType: MEDIA.layer, digest: newDiffId, size: layer.size },
      ]);
      return {
        files: [
          ['blobs/config', config],
          ['blobs/manifest', manifest],
          ['index.json', ociIndex(manifest, config)],
          ['oci-layout', OCI_LAYOUT],
        ],
        prediction: { imageId: sha256(manifest), diffIds, config },
      };
    }
  }
}

/** Without it the containerd store takes the archive for one of docker's. */
export const OCI_LAYOUT = json({ imageLayoutVersion: '1.0.0' });

export function ociManifest(config: Buffer, layers: readonly Descriptor[]): Buffer {
  return json({
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: { mediaType: MEDIA.config, digest: sha256(config), size: config.length },
    layers,
  });
}

/**
 * An index of one image.
 * @param names annotations of its descriptors, one for each name: the containerd store reads a name there
 */
export function ociIndex(manifest: Buffer, config: Buffer, names: readonly JsonObject[] = []): Buffer {
  const value = parseJson(config, 'the config');
  const { architecture, os, variant } = isObject(value) ? value : {};
  const descriptor = {
    mediaType: MEDIA.manifest,
    digest: sha256(manifest),
    size: manifest.length,
    platform: { architecture, os, ...(variant !== undefined && variant !== '' && { variant }) },
  };
  return json({
    schemaVersion: 2,
    mediaType: MEDIA.index,
    manifests:
      names.length === 0 ? [descriptor] : names.map((annotations) => ({ ...descriptor, annotations })),
  });
}

export function diffIdsOf(config: Buffer): readonly string[] {
  const value = parseJson(config, 'the config') as { rootfs: { diff_ids: string[] } };
  return value.rootfs.diff_ids;
}

export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Image archives for tests, in each form that engines write them. */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tar, type TarItem } from './image-tar.js';

export type ArchiveForm = 'docker20' | 'docker28' | 'containerd' | 'oci';
export const FORMS: readonly ArchiveForm[] = ['docker20', 'docker28', 'containerd', 'oci'];

export interface TestImage {
  /** Uncompressed tars, base first. */
  readonly layers: readonly Buffer[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly tag?: string;
  readonly attestation?: boolean;
}

export function digest(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export function diffIds(image: TestImage): string[] {
  return image.layers.map(digest);
}

export function configOf(image: TestImage): Buffer {
  return json({
    architecture: 'amd64',
    os: 'linux',
    created: '2020-01-02T03:04:05.678Z',
    config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: diffIds(image) },
    history: image.layers.map((_, index) => ({ created_by: `RUN make ${index}` })),
    ...image.config,
  });
}

/** The files of an archive, sorted by name as engines write them; change some to make it wrong. */
export function archiveItems(image: TestImage, form: ArchiveForm): TarItem[] {
  const files = new Map<string, TarItem>();
  const put = (name: string, body: Buffer) => files.set(name, { name, type: '0', body });
  const config = configOf(image);
  const tag = image.tag ?? 'test/image:latest';
  switch (form) {
    case 'docker20': {
      const seen = new Map<string, string>();
      const layers = image.layers.map((layer, index) => {
        // v1 IDs have nothing to do with the layer: the order of the archive is random to the stack.
        const id = digest(Buffer.from(`v1 ${index}`)).slice(7);
        const first = seen.get(digest(layer));
        const name = `${id}/layer.tar`;
        if (first === undefined) put(name, layer);
        else files.set(name, { name, type: '2', linkname: posix.join('..', first) });
        seen.set(digest(layer), first ?? name);
        put(`${id}/VERSION`, Buffer.from('1.0'));
        put(`${id}/json`, json({ id }));
        return name;
      });
      put(`${digest(config).slice(7)}.json`, config);
      put(
        'manifest.json',
        json([{ Config: `${digest(config).slice(7)}.json`, RepoTags: [tag], Layers: layers }]),
      );
      put('repositories', json({ 'test/image': { latest: 'x' } }));
      break;
    }
    case 'docker28':
    case 'containerd':
    case 'oci': {
      const blob = (bytes: Buffer, mediaType: string) => {
        put(`blobs/sha256/${digest(bytes).slice(7)}`, bytes);
        return { mediaType, digest: digest(bytes), size: bytes.length };
      };
      const zip = form !== 'docker28';
      const layers = image.layers.map((layer) =>
        blob(zip ? gzipSync(layer) : layer, `application/vnd.oci.image.layer.v1.tar${zip ? '+gzip' : ''}`),
      );
      const manifest = blob(
        json({
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          config: blob(config, 'application/vnd.oci.image.config.v1+json'),
          layers,
        }),
        'application/vnd.oci.image.manifest.v1+json',
      );
      const { architecture, os } = JSON.parse(config.toString()) as Record<string, string>;
      const manifests: unknown[] = [{ ...manifest, platform: { architecture, os } }];
      if (image.attestation === true) {
        const statement = blob(
          json({ _type: 'https://in-toto.io/Statement/v0.1' }),
          'application/vnd.in-toto+json',
        );
        const attestation = blob(
          json({
            schemaVersion: 2,
            config: blob(json({}), 'application/vnd.oci.image.config.v1+json'),
            layers: [statement],
          }),
          'application/vnd.oci.image.manifest.v1+json',
        );
        const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
        manifests.push({ ...attestation, annotations, platform: { architecture: 'unknown', os: 'unknown' } });
      }
      put('index.json', json({ schemaVersion: 2, manifests }));
      put('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
      if (form === 'oci') break;
      const paths = layers.map((layer) => `blobs/sha256/${layer.digest.slice(7)}`);
      const configPath = `blobs/sha256/${digest(config).slice(7)}`;
      put('manifest.json', json([{ Config: configPath, RepoTags: [tag], Layers: paths }]));
    }
  }
  return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function archive(image: TestImage, form: ArchiveForm): Buffer {
  return tar(archiveItems(image, form));
}

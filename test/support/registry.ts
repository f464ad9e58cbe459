/** A registry on 127.0.0.1, which engines take without TLS: it gives images of a few text files, and counts who asks. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { TEST_LABEL } from './images.js';
import { tar } from './image-tar.js';

const DOCKER = 'application/vnd.docker';

interface Blob {
  readonly type: string;
  readonly content: Buffer;
}

/** https://distribution.github.io/distribution/spec/api/ as far as a pull goes. */
export class Registry implements AsyncDisposable {
  readonly #server: Server;
  readonly #blobs = new Map<string, Blob>();
  /** `host/name:tag` → digest of its manifest. */
  readonly #tags = new Map<string, string>();
  /** `host/name:tag` of each manifest that was asked for by its tag, in order: engines send a HEAD first. */
  readonly asked: string[] = [];

  private constructor(readonly credentials: string | undefined) {
    this.#server = createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  /** @param credentials `user:password`, where it is not open to all */
  static async open(credentials?: string): Promise<Registry> {
    const registry = new Registry(credentials);
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    return registry;
  }

  /** As engines name it: `127.0.0.1:PORT`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /**
   * Put an image of these files there, under a name that may have had another one.
   * @param name `host/name:tag`
   * @param test its ID; the image carries its label
   * @returns the reference by digest
   */
  put(name: string, test: string, files: Readonly<Record<string, string>>): string {
    const layer = tar(
      Object.entries(files).map(([path, text]) => ({ name: path, type: '0', body: Buffer.from(text) })),
    );
    const packed = this.#blob(`${DOCKER}.image.rootfs.diff.tar.gzip`, gzipSync(layer));
    const config = this.#blob(
      `${DOCKER}.container.image.v1+json`,
      json({
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        config: { Labels: { [TEST_LABEL]: test } },
        rootfs: { type: 'layers', diff_ids: [digest(layer)] },
        history: [{ created_by: 'COPY files /' }],
      }),
    );
    const mediaType = `${DOCKER}.distribution.manifest.v2+json`;
    const manifest = this.#blob(mediaType, json({ schemaVersion: 2, mediaType, config, layers: [packed] }));
    this.#tags.set(name, manifest.digest);
    return name.replace(/:[^:/]*$/, `@${manifest.digest}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #blob(mediaType: string, content: Buffer): { mediaType: string; size: number; digest: string } {
    const id = digest(content);
    this.#blobs.set(id, { type: mediaType, content });
    return { mediaType, size: content.length, digest: id };
  }

  /** For `auths` of Docker's config.json. */
  get auth(): string {
    return Buffer.from(this.credentials ?? '').toString('base64');
  }

  #answer({ method, url = '', headers }: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
    if (this.credentials !== undefined && headers.authorization !== `Basic ${this.auth}`) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' });
      response.end('{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}');
      return;
    }
    const [, name = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(url) ?? [];
    if (kind === undefined) {
      response.end('{}');
      return;
    }
    const tagged = `${this.host}/${name}:${reference}`;
    if (kind === 'manifests' && method === 'HEAD' && !reference.includes(':')) this.asked.push(tagged);
    const id = reference.includes(':') ? reference : (this.#tags.get(tagged) ?? '');
    const blob = this.#blobs.get(id);
    if (blob === undefined) {
      const code = kind === 'manifests' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN';
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code, message: `${code.toLowerCase()} here` }] }));
      return;
    }
    const { type, content } = blob;
    response.writeHead(200, {
      'Content-Type': kind === 'manifests' ? type : 'application/octet-stream',
      'Content-Length': content.length,
      'Docker-Content-Digest': id,
    });
    response.end(method === 'HEAD' ? undefined : content);
  }
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function digest(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

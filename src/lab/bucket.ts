/** A real HTTP server that stands in for S3: it takes what the example's `upload` step posts, from inside a container. */

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { LabError } from './error.js';
import { call, type Endpoint } from './http.js';

export interface Upload {
  /** The path of the request, `/iron-mountain`. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 in hex. */
  readonly digest: string;
}

export interface Bucket extends AsyncDisposable {
  /** As a container sees it: `http://A.B.C.D:PORT`, without a slash at the end. */
  readonly url: string;
  readonly uploads: readonly Upload[];
}

/** Where Docker Desktop's containers reach the user's machine (`host.docker.internal`): its gateway is inside its VM. */
const DESKTOP = '192.168.65.254';

/** Opens a bucket that this engine's containers reach; bytes are counted and hashed, not kept. */
export async function openBucket(engine: Endpoint): Promise<Bucket> {
  const uploads: Upload[] = [];
  const server = createServer((request, response) => {
    const hash = createHash('sha256');
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    pipeline(request, hash).then(
      () => {
        const upload = { path: request.url ?? '/', bytes, digest: hash.digest('hex') };
        uploads.push(upload);
        response.end(
          `bucket: stored ${upload.path} (${bytes} bytes, sha256 ${upload.digest.slice(0, 12)})\n`,
        );
      },
      () => response.destroy(),
    );
  });
  const listen = (address: string): Promise<boolean> =>
    new Promise((resolve) => {
      server.once('error', () => {
        resolve(false);
      });
      server.listen(0, address, () => {
        resolve(true);
      });
    });
  const gateway = await gatewayOf(engine);
  const onBridge = await listen(gateway);
  if (!onBridge && !(await listen('127.0.0.1'))) {
    throw new LabError(
      `no HTTP server can listen on ${gateway}`,
      'the example needs one for its upload step',
    );
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${onBridge ? gateway : DESKTOP}:${port}`,
    uploads,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The address under which containers of the default network reach the machine of the engine. */
async function gatewayOf(engine: Endpoint): Promise<string> {
  const answer = await call(engine, { method: 'GET', path: '/networks/bridge' });
  const gateway = /"Gateway":"(\d+\.\d+\.\d+\.\d+)"/.exec(answer.body)?.[1];
  if (gateway !== undefined) return gateway;
  throw new LabError(
    'the engine has no default network',
    'start it without --bridge=none, or use another engine',
  );
}

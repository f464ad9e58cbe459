/** The calls of the Engine API by which tests of squash look at an engine and prepare it, past the program under test. */
import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { endpointOf } from '../../src/lab/http.js';
import { scan, readAll } from './tar.js';

/** Of `GET /system/df`. */
export interface CacheRecord {
  readonly ID: string;
  readonly Type: string;
  readonly Description: string;
}

/** An image as `docker save` tells it. */
export interface SavedImage {
  /** The config's own bytes. */
  readonly config: Buffer;
  /** All files of the archive, by path. */
  readonly files: ReadonlyMap<string, Buffer>;
}

export class EngineApi {
  readonly #target: RequestOptions;

  constructor(host: string) {
    const endpoint = endpointOf(host);
    if (endpoint === undefined) throw new Error(`no endpoint: ${host}`);
    this.#target =
      endpoint.kind === 'unix' ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  }

  async open(method: string, path: string, body?: Readable | object): Promise<IncomingMessage> {
    const isStream = body !== undefined && 'pipe' in body;
    const type = isStream ? 'application/x-tar' : 'application/json';
    const call = request({
      ...this.#target,
      method,
      path,
      headers: body === undefined ? {} : { 'Content-Type': type },
      agent: false,
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      call.once('response', resolve).once('error', reject);
    });
    if (isStream) await pipeline(body, call);
    else call.end(body === undefined ? undefined : JSON.stringify(body));
    return answered;
  }

  /** The body of an answer that has to tell success. */
  async bytes(method: string, path: string, body?: Readable | object): Promise<Buffer> {
    const answer = await this.open(method, path, body);
    const bytes = await readAll(answer);
    if ((answer.statusCode ?? 500) < 400) return bytes;
    throw new Error(`${method} ${path}: ${answer.statusCode} ${bytes.toString()}`);
  }

  async json<T>(method: string, path: string, body?: object): Promise<T> {
    return JSON.parse((await this.bytes(method, path, body)).toString()) as T;
  }

  /** @throws Error for what an engine tells in its progress, too */
  async load(archive: Readable): Promise<void> {
    const said = (await this.bytes('POST', '/images/load?quiet=1', archive)).toString();
    if (/"error"|"Error /.test(said)) throw new Error(`load: ${said}`);
  }

  saveStream(image: string): Promise<IncomingMessage> {
    return this.open('GET', `/images/${image}/get`);
  }

  /** The archive that `docker save` writes of these images. */
  save(...images: readonly string[]): Promise<Buffer> {
    return this.bytes('GET', `/images/get?${images.map((name) => `names=${name}`).join('&')}`);
  }

  async saved(image: string): Promise<SavedImage> {
    const files = new Map(
      scan(await this.save(image)).map(({ entry, content }) => [entry.path, content] as const),
    );
    const [manifest] = JSON.parse(files.get('manifest.json')?.toString() ?? '[]') as { Config: string }[];
    const config = files.get(manifest?.Config ?? '');
    if (config === undefined) throw new Error(`the archive of ${image} has no config`);
    return { config, files };
  }

  /** What `docker export` writes of a container that was created and never started. */
  async export(image: string): Promise<Buffer> {
    const { Id } = await this.json<{ Id: string }>('POST', '/containers/create', {
      Image: image,
      Cmd: ['look'],
    });
    try {
      return await this.bytes('GET', `/containers/${Id}/export`);
    } finally {
      await this.bytes('DELETE', `/containers/${Id}?force=1&v=1`);
    }
  }

  /** IDs of all images, also intermediate and untagged ones. */
  async imageIds(): Promise<ReadonlySet<string>> {
    const images = await this.json<readonly { Id: string }[]>('GET', '/images/json?all=1');
    return new Set(images.map(({ Id }) => Id));
  }

  async layersOf(image: string): Promise<readonly string[]> {
    const { RootFS } = await this.json<{ RootFS: { Layers: string[] } }>('GET', `/images/${image}/json`);
    return RootFS.Layers;
  }

  async history(image: string): Promise<readonly { CreatedBy: string; Size: number }[]> {
    return this.json('GET', `/images/${image}/history`);
  }

  async buildCache(): Promise<readonly CacheRecord[]> {
    const { BuildCache } = await this.json<{ BuildCache: CacheRecord[] | null }>(
      'GET',
      '/system/df?type=build-cache',
    );
    return BuildCache ?? [];
  }

  async remove(image: string): Promise<void> {
    await readAll(await this.open('DELETE', `/images/${image}?force=1`));
  }
}

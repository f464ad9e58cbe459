/** Looks at what an engine holds, past the program under test: names, files of images, and what a build left behind. */
import { randomBytes } from 'node:crypto';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { endpointOf } from '../../src/lab/http.js';
import type { RawEntry } from '../../src/tar/raw.js';
import { encode, member, readAll, scan } from './tar.js';
import type { TestEngine } from './engines.js';

/** Images of tests carry this label, so that tests that share an engine do not see each other's. */
export const TEST_LABEL = 'habitus.test';

export interface ImageSummary {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
}

export interface ImageFile {
  readonly entry: RawEntry;
  readonly content: Buffer;
}

/** What is left of a build, as lines; nothing is left when all are empty. */
export interface Traces {
  readonly containers: readonly string[];
  readonly sessionNames: readonly string[];
  readonly dangling: readonly string[];
  /** What made the dangling images. */
  readonly madeBy: readonly string[];
}

const LIST_TRIES = 20;

export const NOTHING: Traces = { containers: [], sessionNames: [], dangling: [], madeBy: [] };

export class Images {
  readonly #target: RequestOptions;

  constructor(engine: TestEngine) {
    const endpoint = endpointOf(engine.host);
    if (endpoint === undefined) throw new Error(`no endpoint: ${engine.host}`);
    this.#target =
      endpoint.kind === 'unix' ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  }

  /** The engine's major version, e.g. 28. */
  async majorVersion(): Promise<number> {
    const { Version } = await this.#json<{ readonly Version: string }>('/version');
    return Number.parseInt(Version, 10);
  }

  /** The image ID, or `undefined`. */
  async idOf(reference: string): Promise<string | undefined> {
    return (await this.inspect(reference))?.Id;
  }

  async inspect(
    reference: string,
  ): Promise<
    | { readonly Id: string; readonly Config: Record<string, unknown>; readonly RootFS: { Layers: string[] } }
    | undefined
  > {
    const answer = await this.#call('GET', `/images/${reference}/json`);
    return answer.status === 404 ? undefined : (JSON.parse(answer.body.toString()) as never);
  }

  /** What made its layers, the latest first. */
  async history(image: string): Promise<readonly string[]> {
    const entries = await this.#json<readonly { readonly CreatedBy: string }[]>(`/images/${image}/history`);
    return entries.map(({ CreatedBy }) => CreatedBy);
  }

  /** Name → image ID of all names that start so, e.g. `habitus.invalid/`. */
  async names(prefix: string): Promise<Record<string, string>> {
    const images = await this.#json<readonly ImageSummary[]>('/images/json');
    const names = images.flatMap(({ Id, RepoTags }) => (RepoTags ?? []).map((name) => [name, Id] as const));
    return Object.fromEntries(names.filter(([name]) => name.startsWith(prefix)).sort());
  }

  /** All that a path of an image holds, by path; names are latin1. The image need not hold anything that runs. */
  async files(image: string, path = '/'): Promise<ReadonlyMap<string, ImageFile>> {
    const archive = await this.archive(image, path);
    return new Map(scan(archive).map((file) => [file.entry.path.replace(/\/$/, ''), file]));
  }

  /** The text of one file; `undefined` where there is none. */
  async text(image: string, path: string): Promise<string | undefined> {
    const [file] = [...(await this.files(image, path)).values()];
    return file?.content.toString();
  }

  /** The tar that the engine gives of a path; empty where there is none. */
  async archive(image: string, path: string): Promise<Buffer> {
    const made = await this.#call('POST', '/containers/create', { Image: image, Cmd: ['look'] });
    if (made.status !== 201) throw new Error(`cannot look into ${image}: ${made.body.toString()}`);
    const { Id } = JSON.parse(made.body.toString()) as { Id: string };
    try {
      const query = new URLSearchParams({ path }).toString();
      const { status, body } = await this.#call('GET', `/containers/${Id}/archive?${query}`);
      return status === 200 ? body : Buffer.alloc(0);
    } finally {
      await this.#call('DELETE', `/containers/${Id}?force=1&v=1`);
    }
  }

  /** What carries the test's label and should not be there once no build of the test runs any more. */
  async traces(test: string): Promise<Traces> {
    const label = `${TEST_LABEL}=${test}`;
    const [containers, images, dangling] = await Promise.all([
      this.#list<{ Id: string; Names: string[] }>('/containers/json?all=1', { label: [label] }),
      this.#list<ImageSummary>('/images/json', { label: [label] }),
      this.#list<ImageSummary>('/images/json', { label: [label], dangling: ['true'] }),
    ]);
    return {
      containers: containers.map(({ Id, Names }) => `${Id.slice(0, 12)} ${Names.join()}`),
      sessionNames: images
        .flatMap(({ RepoTags }) => RepoTags ?? [])
        .filter((name) => name.startsWith('127.0.0.1:1/')),
      dangling: dangling.map(({ Id }) => Id),
      madeBy: await Promise.all(
        dangling.map(async ({ Id }) => (await this.history(Id).catch(() => ['gone'])).join(' < ')),
      ),
    };
  }

  /** Everything of a session, by its ID: also where images carry no label of a test. */
  async tracesOfSession(session: string): Promise<Pick<Traces, 'containers' | 'sessionNames'>> {
    const label = `habitus.session=${session}`;
    const containers = await this.#list<{ Id: string }>('/containers/json?all=1', { label: [label] });
    const names = await this.names(`127.0.0.1:1/habitus/${session}/`);
    return { containers: containers.map(({ Id }) => Id), sessionNames: Object.keys(names) };
  }

  /** IDs, also of images that others were made from. */
  async withLabel(label: string): Promise<readonly string[]> {
    const images = await this.#list<ImageSummary>('/images/json?all=1', { label: [label] });
    return images.map(({ Id }) => Id);
  }

  /** An image without a name, of one empty file. @param platform the engine's own, if absent @returns its ID */
  async imported(instruction: string, platform = ''): Promise<string> {
    const query = new URLSearchParams({ fromSrc: '-', changes: instruction, platform }).toString();
    const archive = encode([member({ path: randomBytes(8).toString('hex') })]);
    const { body } = await this.#call('POST', `/images/create?${query}`, archive);
    const [id] = /sha256:[0-9a-f]{64}/.exec(body.toString()) ?? [];
    if (id === undefined) throw new Error(`cannot import an image: ${body.toString()}`);
    return id;
  }

  /** Remove all images of a test, and the containers that a killed program left. */
  async clear(test: string): Promise<void> {
    const label = { label: [`${TEST_LABEL}=${test}`] };
    for (const { Id } of await this.#list<{ Id: string }>('/containers/json?all=1', label)) {
      await this.#call('DELETE', `/containers/${Id}?force=1&v=1`);
    }
    const images = await this.#list<ImageSummary>('/images/json', label);
    for (const { Id, RepoTags } of images) {
      for (const name of RepoTags ?? [Id]) await this.remove(name);
    }
  }

  async remove(reference: string): Promise<void> {
    await this.#call('DELETE', `/images/${reference}?force=1`);
  }

  /** `docker image prune -a`, of a test's images alone. */
  async prune(test: string): Promise<void> {
    const filters = JSON.stringify({ dangling: ['false'], label: [`${TEST_LABEL}=${test}`] });
    const query = new URLSearchParams({ filters }).toString();
    const { status, body } = await this.#call('POST', `/images/prune?${query}`);
    if (status !== 200) throw new Error(`cannot prune: ${body.toString()}`);
  }

  async removeContainer(id: string): Promise<void> {
    await this.#call('DELETE', `/containers/${id}?force=1&v=1`);
  }

  /** Give an image another name. */
  async tag(reference: string, name: string): Promise<void> {
    const colon = name.lastIndexOf(':');
    const query = new URLSearchParams({ repo: name.slice(0, colon), tag: name.slice(colon + 1) }).toString();
    const { status, body } = await this.#call('POST', `/images/${reference}/tag?${query}`);
    if (status !== 201) throw new Error(`cannot tag ${reference}: ${body.toString()}`);
  }

  /** The containerd store answers 404 when an image of another test is removed while it lists them: that is asked again. */
  async #json<T>(path: string): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const { status, body } = await this.#call('GET', path);
      if (status === 200) return JSON.parse(body.toString()) as T;
      if (!(status === 404 && path.startsWith('/images/json')) || tries === LIST_TRIES)
        throw new Error(`${path}: ${body.toString()}`);
    }
  }

  #list<T>(path: string, filters: Record<string, string[]>): Promise<readonly T[]> {
    const query = new URLSearchParams({ filters: JSON.stringify(filters) }).toString();
    return this.#json(`${path}${path.includes('?') ? '&' : '?'}${query}`);
  }

  async #call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Buffer }> {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const isTar = Buffer.isBuffer(body);
      const sent = body === undefined || isTar ? body : JSON.stringify(body);
      const type = isTar ? 'application/x-tar' : 'application/json';
      const headers = sent === undefined ? {} : { 'Content-Type': type };
      request({ ...this.#target, method, path, headers, agent: false }, resolve)
        .on('error', reject)
        .end(sent);
    });
    return { status: answer.statusCode ?? 0, body: await readAll(answer) };
  }
}

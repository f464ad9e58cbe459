/** What the benchmark asks of the engine: what is in an image, and to remove what the benchmark has made. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { peer } from '../squash-peer.js';

/** All images of the benchmark are `REPOSITORY/<tool>:<step>`. */
export const REPOSITORY = 'habitus.invalid/bench';
/** Instructions that make much have this in a path, by which their records in BuildKit's cache are known. */
export const MARK = 'habitus-bench';
/** Smaller records are left to the engine's own housekeeping. */
const LARGE = 4e6;

export class Engine {
  #host;
  #call;

  constructor(host) {
    this.#host = host;
    this.#call = peer(host);
  }

  async describe() {
    const { Version } = await this.#json('/version');
    const { Driver } = await this.#json('/info');
    return `Docker ${Version}, ${Driver}`;
  }

  /** Writes an image to a file, as `docker save` does. */
  async save(image, file) {
    await pipeline(await this.#open('GET', `/images/${image}/get`), createWriteStream(file));
  }

  /**
   * A file of an image; nothing of the image is run.
   * @returns its size in bytes and, of a small one, its text
   */
  async look(image, path) {
    const { Id } = JSON.parse(await this.#call('POST', '/containers/create', { json: { Image: image } }));
    try {
      const where = `/containers/${Id}/archive?path=${encodeURIComponent(path)}`;
      const head = await this.#open('HEAD', where);
      head.resume();
      const stat = Buffer.from(head.headers['x-docker-container-path-stat'] ?? '', 'base64').toString();
      if (stat === '') return undefined;
      const { size } = JSON.parse(stat);
      // A tar archive of one file: a header of 512 bytes, then the content.
      const text = size < 1e4 ? (await this.#call('GET', where)).slice(512, 512 + size) : undefined;
      return { size, text };
    } finally {
      await this.#call('DELETE', `/containers/${Id}?force=1`);
    }
  }

  /** @returns the IDs of the benchmark's images, by name */
  async images() {
    const filters = encodeURIComponent(JSON.stringify({ reference: [`${REPOSITORY}/*`] }));
    const found = await this.#json(`/images/json?filters=${filters}`);
    return new Map(found.flatMap(({ Id, RepoTags }) => (RepoTags ?? []).map((name) => [name, Id])));
  }

  /** Removes those of these images that have lost their names meanwhile. */
  async removeUnnamed(ids) {
    const named = new Set((await this.images()).values());
    // One that has another name, or children, is not the benchmark's to remove.
    for (const id of ids) if (!named.has(id)) await this.#call('DELETE', `/images/${id}`).catch(() => {});
  }

  async removeImages() {
    for (const name of (await this.images()).keys()) await this.#call('DELETE', `/images/${name}?force=1`);
  }

  /** @returns the IDs of BuildKit's records */
  async cache() {
    return new Set((await this.#records()).map(({ ID }) => ID));
  }

  /** Removes what the benchmark has put into BuildKit's cache since that time, if it is large. */
  async forget(before) {
    const ours = ({ ID, Size, Type, Description }) =>
      !before.has(ID) && Size > LARGE && (Type === 'source.local' || Description.includes(MARK));
    const ids = (await this.#records()).filter(ours).map(({ ID }) => ID);
    if (ids.length === 0) return;
    const filters = encodeURIComponent(JSON.stringify({ id: { [`^(${ids.join('|')})$`]: true } }));
    await this.#call('POST', `/build/prune?all=1&filters=${filters}`);
  }

  async #records() {
    return (await this.#json('/system/df?type=build-cache')).BuildCache ?? [];
  }

  async #json(path) {
    return JSON.parse(await this.#call('GET', path));
  }

  async #open(method, path) {
    const call = request({ socketPath: this.#host.slice('unix://'.length), method, path, agent: false });
    call.end();
    const [answer] = await once(call, 'response');
    return answer;
  }
}

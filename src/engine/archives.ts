/** Whole images in and out of an engine. */
import { pipeline, type Readable } from 'node:stream';
import type { ForgottenCache, ImageArchives, RemovedFiles } from '../core/ports.js';
import type { RegistryAuth } from './auth.js';
import { forgetBuildCache } from './build-cache.js';
import { complaint } from './explain.js';
import { registryOf, splitName } from './images.js';
import { readJsonLines } from './json-lines.js';
import { TarEndCheck } from './tar-end.js';
import type { Transport } from './transport.js';
import { unlessAborted } from '../core/unless-aborted.js';

export class EngineArchives implements ImageArchives {
  readonly #transport: Transport;
  readonly #auth: RegistryAuth;

  constructor(transport: Transport, auth: RegistryAuth) {
    this.#transport = transport;
    this.#auth = auth;
  }

  async pullImage(reference: string, signal: AbortSignal): Promise<void> {
    const { repository, tag } = splitName(reference);
    const auth = await unlessAborted(this.#auth.registryAuthHeader(registryOf(repository)), signal);
    const purpose = `pull ${reference}`;
    const answer = await this.#transport.stream({
      method: 'POST',
      path: '/images/create',
      query: reference.includes('@') ? { fromImage: reference } : { fromImage: repository, tag },
      ...(auth !== undefined && { headers: { 'X-Registry-Auth': auth } }),
      signal,
      purpose,
    });
    await this.#readAnswer(answer, { purpose, signal });
  }

  async saveImages(references: readonly string[], signal: AbortSignal): Promise<Readable> {
    const purpose = `save ${references.join(' and ')}`;
    const names = references.map((name) => `names=${name}`).join('&');
    const call = {
      method: 'GET',
      path: `/images/get?${names}`,
      // Engines pack it whole before the first byte.
      pace: 'repeatable',
      signal,
      purpose,
    } as const;
    const answer = await this.#transport.stream(call);
    const check = new TarEndCheck('the image archive');
    answer.once('error', (error) => {
      const failure = this.#transport.failure(error, call);
      check.destroy(failure instanceof Error ? failure : new Error(String(failure)));
    });
    pipeline(answer, check, () => undefined);
    return check;
  }

  async loadImages(archive: Readable, signal: AbortSignal): Promise<void> {
    const purpose = 'load an image';
    let broken: Error | undefined;
    archive.once('error', (error) => {
      broken = error;
    });
    try {
      const answer = await this.#transport.stream({
        method: 'POST',
        path: '/images/load',
        query: { quiet: '1' },
        headers: { 'Content-Type': 'application/x-tar' },
        upload: archive,
        signal,
        purpose,
      });
      await this.#readAnswer(answer, { purpose, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw broken ?? error;
    } finally {
      archive.destroy();
    }
  }

  forgetBuildCache(removed: RemovedFiles, signal: AbortSignal): Promise<ForgottenCache> {
    return forgetBuildCache(this.#transport, removed, signal);
  }

  /** Failures come behind a status of 200, and from the containerd store even as ordinary progress. */
  async #readAnswer(
    answer: Readable,
    call: { readonly purpose: string; readonly signal: AbortSignal },
  ): Promise<void> {
    try {
      await readJsonLines(answer, (message) => {
        const { error, stream } = message as { error?: string; stream?: string };
        const problem = error ?? (stream?.startsWith('Error ') === true ? stream.trim() : undefined);
        if (problem !== undefined) throw complaint(call.purpose, problem, 200);
      });
    } catch (error) {
      throw this.#transport.failure(error, call);
    }
  }
}

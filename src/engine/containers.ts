/** Containers: created with labels, run with their output line by line, read as tars, and removed for good. */
import { pipeline, type Readable } from 'node:stream';
import { EngineError } from '../core/errors.js';
import { SESSION_LABEL } from '../core/marks.js';
import type { ContainerRequest, EngineContainer, ExecRequest, LabelledContainer } from '../core/ports.js';
import { demultiplex } from './demux.js';
import { execute } from './exec.js';
import { splitName } from './images.js';
import { LineSplitter } from '../core/lines.js';
import { listOf, numberOf, textOf } from './shape.js';
import { TarEndCheck } from './tar-end.js';
import type { Transport } from './transport.js';

/** @throws EngineError, of status 404 when there is no such image */
export async function createContainer(
  transport: Transport,
  request: ContainerRequest,
  signal: AbortSignal,
): Promise<EngineContainer> {
  const { limits } = request;
  const body = {
    Image: request.image,
    ...(request.entrypoint && { Entrypoint: request.entrypoint }),
    ...(request.command.length > 0 && { Cmd: request.command }),
    ...(request.user !== undefined && { User: request.user }),
    Labels: request.labels,
    ...(request.holdOpen === true && { OpenStdin: true }),
    HostConfig: {
      NetworkMode: request.network,
      ...(limits.memory !== undefined && { Memory: limits.memory }),
      ...(limits.cpusetCpus !== undefined && { CpusetCpus: limits.cpusetCpus }),
      ...(limits.cpuShares !== undefined && { CpuShares: limits.cpuShares }),
    },
  };
  signal.throwIfAborted();
  // Not given the signal: an aborted request may still create the container, and nobody would know its ID.
  const create = (extra: object): Promise<unknown> =>
    transport.json({
      method: 'POST',
      path: '/containers/create',
      body: { ...body, ...extra },
      purpose: `create a container of ${request.image}`,
    });
  let answer: unknown;
  try {
    answer = await create({});
  } catch (error) {
    // Images FROM scratch often have no command; a container that is only read needs none that exists.
    if (!(error instanceof EngineError) || !/no command specified/i.test(error.message)) throw error;
    answer = await create({ Cmd: ['-'] });
  }
  const container = new Container(transport, textOf(answer, 'Id', 'create a container'));
  if (signal.aborted) {
    await container.remove();
    signal.throwIfAborted();
  }
  return container;
}

export async function listContainers(
  transport: Transport,
  label: string,
): Promise<readonly LabelledContainer[]> {
  const answer = await transport.json({
    method: 'GET',
    path: '/containers/json',
    query: { all: '1', filters: JSON.stringify({ label: [label] }) },
    purpose: 'list containers',
  });
  const listed = listOf(answer, 'list containers') as {
    Id: string;
    Labels: Record<string, string> | null;
  }[];
  return listed.map(({ Id: id, Labels: labels }) => ({ id, labels: labels ?? {} }));
}

export async function removeContainer(transport: Transport, id: string): Promise<void> {
  try {
    await transport.json({
      method: 'DELETE',
      path: `/containers/${id}`,
      query: { force: '1', v: '1' },
      purpose: `remove the container ${id.slice(0, 12)}`,
    });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.status === 404) return;
    if (error.status === 409 && /already in progress/.test(error.message)) {
      await waitUntilGone(transport, id);
      return;
    }
    throw error;
  }
}

/**
 * Remove the container of a RUN that the classic builder told of, and no other: what RUN itself prints can look like the
 * builder's talk and name a container of somebody else.
 * @returns whether there was one to remove
 */
export async function removeRunContainer(transport: Transport, id: string): Promise<boolean> {
  if (!(await isRunContainer(transport, id))) return false;
  await removeContainer(transport, id);
  return true;
}

/** The classic builder makes containers of image IDs, where people and programs write names; seen on 20.10 and 28.5. */
export async function isRunContainer(
  transport: Transport,
  id: string,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    const answer = await transport.json({
      method: 'GET',
      path: `/containers/${id}/json`,
      signal,
      purpose: `look at the container ${id.slice(0, 12)}`,
    });
    const { Image: image, Labels: labels } = (answer as { Config: { Image: string; Labels: object | null } })
      .Config;
    return image.startsWith('sha256:') && !(SESSION_LABEL in (labels ?? {}));
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return false;
    throw error;
  }
}

async function waitUntilGone(transport: Transport, id: string): Promise<void> {
  try {
    await transport.json({
      method: 'POST',
      path: `/containers/${id}/wait`,
      query: { condition: 'removed' },
      purpose: `remove the container ${id.slice(0, 12)}`,
    });
  } catch (error) {
    if (!(error instanceof EngineError && error.status === 404)) throw error;
  }
}

class Container implements EngineContainer {
  readonly #transport: Transport;

  constructor(
    transport: Transport,
    readonly id: string,
  ) {
    this.#transport = transport;
  }

  async archive(path: string, signal: AbortSignal): Promise<Readable> {
    const purpose = `read ${path} of the container ${this.id.slice(0, 12)}`;
    const call = {
      method: 'GET',
      path: `/containers/${this.id}/archive`,
      query: { path },
      pace: 'repeatable',
      signal,
      purpose,
    } as const;
    const answer = await this.#transport.stream(call);
    const check = new TarEndCheck(path);
    // The consumer sees every failure through `check`; the wrapping gives broken connections their message.
    answer.once('error', (error) => {
      const failure = this.#transport.failure(error, call);
      check.destroy(failure instanceof Error ? failure : new Error(String(failure)));
    });
    pipeline(answer, check, () => undefined);
    return check;
  }

  async run(
    onLine: (stream: 'stdout' | 'stderr', line: string) => void,
    signal: AbortSignal,
  ): Promise<number> {
    const short = this.id.slice(0, 12);
    const base = `/containers/${this.id}`;
    const output = await this.#transport.stream({
      method: 'POST',
      path: `${base}/attach`,
      query: { stream: '1', stdout: '1', stderr: '1' },
      signal,
      purpose: `attach to the container ${short}`,
    });
    const kill = (): void => {
      // It may have ended by itself just now.
      this.#post('kill', `kill the container ${short}`).catch(() => undefined);
    };
    try {
      await this.#post('start', `start the container ${short}`, signal);
      signal.addEventListener('abort', kill, { once: true });
      if (signal.aborted) kill();
      const purpose = `follow the container ${short}`;
      const waiting = this.#transport.json({ method: 'POST', path: `${base}/wait`, signal, purpose });
      const [answer] = await Promise.all([waiting, passLines(output, onLine)]).catch((error: unknown) => {
        throw this.#transport.failure(error, { purpose, signal });
      });
      signal.throwIfAborted();
      return numberOf(answer, 'StatusCode', `follow the container ${short}`);
    } finally {
      signal.removeEventListener('abort', kill);
      output.destroy();
    }
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#post('start', `start the container ${this.id.slice(0, 12)}`, signal);
  }

  exec(
    request: ExecRequest,
    onLine: (stream: 'stdout' | 'stderr', line: string) => void,
    signal: AbortSignal,
  ): Promise<number> {
    return execute(this.#transport, this.id, request, (output) => passLines(output, onLine), signal);
  }

  async commit(name: string, signal: AbortSignal): Promise<void> {
    const short = this.id.slice(0, 12);
    await this.#post('kill', `stop the container ${short}`, signal).catch((error: unknown) => {
      // It has ended by itself.
      if (!(error instanceof EngineError) || error.status !== 409) throw error;
    });
    const { repository, tag } = splitName(name);
    await this.#transport.json({
      method: 'POST',
      path: '/commit',
      query: { container: this.id, repo: repository, tag, pause: '0' },
      signal,
      purpose: `make an image of the container ${short}`,
    });
  }

  remove(): Promise<void> {
    return removeContainer(this.#transport, this.id);
  }

  async #post(verb: 'start' | 'kill', purpose: string, signal?: AbortSignal): Promise<void> {
    const path = `/containers/${this.id}/${verb}`;
    // What is started a second time may run a second time.
    const pace = verb === 'kill' ? 'repeatable' : 'once';
    await this.#transport.json({ method: 'POST', path, pace, signal, purpose });
  }
}

async function passLines(
  output: Readable,
  onLine: (stream: 'stdout' | 'stderr', line: string) => void,
): Promise<void> {
  const splitters = {
    stdout: new LineSplitter((line) => {
      onLine('stdout', line);
    }),
    stderr: new LineSplitter((line) => {
      onLine('stderr', line);
    }),
  };
  await demultiplex(output, (stream, chunk) => {
    splitters[stream].write(chunk);
  });
  splitters.stdout.end();
  splitters.stderr.end();
}

/** One engine's HTTP connections: every request of this room goes through here, and fails in one voice. */
import { Agent as HttpAgent, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Duplex, type Readable } from 'node:stream';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { EngineError } from '../core/errors.js';
import type { EngineAddress } from './address.js';
import { refusal, unreachable } from './explain.js';
import { SshAgent } from './ssh.js';

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Without version prefix, e.g. `/containers/create`; a query in it stands for parameters that repeat. */
  readonly path: string;
  /** `undefined` values are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: object;
  /** A tar; destroyed by the caller when the call fails. */
  readonly upload?: Readable;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly signal?: AbortSignal | undefined;
  /** Completes `The engine could not …`. */
  readonly purpose: string;
}

/** The part of docker-modem that is used; its answers are streams, sockets, or errors with `statusCode`. */
interface Modem {
  version?: string;
  dial(options: object, done: (error: ModemError | null, answer: unknown) => void): void;
}

type ModemError = Error & { readonly statusCode?: number; readonly code?: string };

const SUCCESS = { 101: true, 200: true, 201: true, 204: true, 304: true };

export class Transport {
  readonly #modem: Modem;
  readonly #agent: HttpAgent;

  constructor(readonly address: EngineAddress) {
    this.#agent = agentFor(address);
    // docker-modem formats every request for its debug log, even when that is off: walking an agent's sockets is slow.
    Object.defineProperty(this.#agent, inspect.custom, { value: () => 'Agent' });
    this.#modem = openModem(address, this.#agent);
  }

  /** Use this API version from now on, e.g. `1.41`. */
  speak(apiVersion: string): void {
    this.#modem.version = `v${apiVersion}`;
  }

  /** The answer as a stream of bytes that fails when the connection breaks; the caller consumes or destroys it. */
  async stream(call: Call): Promise<IncomingMessage> {
    const answer = await this.#dial(call, { isStream: true });
    if (answer instanceof IncomingMessage) return answer;
    throw new EngineError(`The engine could not ${call.purpose}: it answered without a body`);
  }

  /** The answer parsed as JSON; `undefined` when it has no body. The caller vouches for its shape. */
  async json(call: Call): Promise<unknown> {
    const answer = await this.stream(call);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of answer) chunks.push(chunk as Buffer);
    } catch (error) {
      throw this.failure(error, call);
    }
    const text = Buffer.concat(chunks).toString();
    if (text.trim() === '') return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw new EngineError(`The engine could not ${call.purpose}: its answer is not JSON`, { cause });
    }
  }

  /** The connection itself after `101 Switching Protocols`; the caller destroys it. */
  async hijack(call: Call): Promise<Duplex> {
    const answer = await this.#dial(call, { hijack: true });
    if (answer instanceof Duplex) return answer;
    throw new EngineError(`The engine could not ${call.purpose}: it did not switch protocols`);
  }

  /** What a user reads when this call broke; the signal's reason when that was why. */
  failure(error: unknown, call: Pick<Call, 'purpose' | 'signal'>): unknown {
    if (call.signal?.aborted === true) return call.signal.reason;
    if (error instanceof EngineError) return error;
    const { statusCode, message } = error as ModemError;
    if (statusCode !== undefined) return refusal(call.purpose, statusCode, message, error);
    return unreachable(this.address, error, call.purpose);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #dial(call: Call, mode: object): Promise<unknown> {
    call.signal?.throwIfAborted();
    const query = Object.fromEntries(
      Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined),
    );
    const options = {
      method: call.method,
      // docker-modem appends the query to a path with a question mark.
      path: encodeURI(call.path.includes('?') ? call.path : `${call.path}?`),
      options: { _query: query, _body: call.body ?? {} },
      headers: { ...call.headers },
      statusCodes: SUCCESS,
      ...(call.upload && { file: call.upload }),
      ...(call.signal && { abortSignal: call.signal }),
      ...mode,
    };
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#modem.dial(options, (error, answer) => {
          if (error === null) resolve(answer);
          else reject(error);
        });
      });
    } catch (error) {
      throw this.failure(error, call);
    }
  }
}

function agentFor(address: EngineAddress): HttpAgent {
  switch (address.kind) {
    case 'socket':
      // A new connection to a local socket is cheaper than a stale one that fails when the engine was restarted.
      return new HttpAgent({ keepAlive: false });
    case 'ssh':
      return new SshAgent(address.target);
    case 'tcp':
      if (address.tls === undefined) return new HttpAgent({ keepAlive: false });
      return new HttpsAgent({
        keepAlive: false,
        ca: address.tls.ca,
        cert: address.tls.cert,
        key: address.tls.key,
        rejectUnauthorized: address.tls.verify,
      });
  }
}

function openModem(address: EngineAddress, agent: HttpAgent): Modem {
  // What is not set here docker-modem would take from process.env.
  const common = { agent, ca: undefined, cert: undefined, key: undefined, timeout: undefined };
  try {
    switch (address.kind) {
      case 'socket':
        return modemOf({ ...common, protocol: 'http', host: undefined, socketPath: address.path });
      case 'ssh':
        return modemOf({ ...common, protocol: 'http', host: 'http://docker', port: 80 });
      case 'tcp': {
        const protocol = address.tls === undefined ? 'http' : 'https';
        return modemOf({
          ...common,
          protocol,
          host: `${protocol}://${address.hostname}`,
          port: address.port,
        });
      }
    }
  } catch (cause) {
    throw new EngineError(`The connection to ${address.url} could not be prepared`, {
      cause,
      hint: 'Check DOCKER_HOST and DOCKER_CERT_PATH, or unset them.',
    });
  }
}

function modemOf(options: Docker.DockerOptions): Modem {
  const { modem }: { modem: Modem } = new Docker(options);
  return modem;
}

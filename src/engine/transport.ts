/** One engine's HTTP connections: every request of this room goes through here, and fails in one voice. */
import { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../core/errors.js';
import type { EngineAddress } from './address.js';
import { paceOf, type Call } from './call.js';
import { openConnections, type Connections } from './connections.js';
import { afterTries, isBroken, isPassing, lost, nonsense, refusal, slow, unreachable } from './explain.js';
import { Flight } from './flight.js';
import type { ConnectionUse } from './modem.js';
import { PATIENCE, type Patience } from './patience.js';
import { Watchdog } from './watchdog.js';

export type { Call } from './call.js';

export interface TransportOptions {
  readonly patience?: Patience | undefined;
  /** Told when a call is sent again, in one sentence. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** How a call is answered, in docker-modem's words. */
interface Mode {
  readonly isStream: true;
  readonly hijack?: true;
}

/** docker-modem's own errors leave out what was answered: all statuses are judged here. */
const EVERY_STATUS: Readonly<Record<string, boolean>> = Object.fromEntries(
  Array.from({ length: 500 }, (_, index) => [String(100 + index), true]),
);
/** 304: a container had been started before. */
const isSuccess = (status: number): boolean => status < 300 || status === 304;

/** Bytes of an answer that is read as a whole, at most; of a refusal no more is read. */
const MAX_ANSWER = 256 * 1024 * 1024;
const MAX_REFUSAL = 64 * 1024;

export class Transport {
  readonly #connections: Connections;
  readonly #patience: Patience;
  readonly #onNotice: (message: string) => void;
  readonly #watchdog: Watchdog;
  #isClosed = false;

  constructor(
    readonly address: EngineAddress,
    { patience = PATIENCE, onNotice = () => undefined }: TransportOptions = {},
  ) {
    this.#connections = openConnections(address, patience.connect);
    this.#patience = patience;
    this.#onNotice = onNotice;
    this.#watchdog = new Watchdog(
      (signal) => this.#ping(signal),
      patience,
      () => lost(address, patience.silence),
    );
  }

  /** Use this API version from now on, e.g. `1.41`. */
  speak(apiVersion: string): void {
    this.#connections.modem.version = `v${apiVersion}`;
  }

  /** The answer as a stream of bytes that fails when the connection breaks; the caller consumes or destroys it. */
  async stream(call: Call): Promise<IncomingMessage> {
    return this.#repeating(call, async () => (await this.#send(call, { isStream: true })).answer);
  }

  /** The answer parsed as JSON; `undefined` when it has no body. The caller vouches for its shape. */
  async json(call: Call): Promise<unknown> {
    const text = await this.#repeating(call, async () => {
      const { flight, answer } = await this.#send(call, { isStream: true });
      try {
        return await this.#text(answer, flight, call);
      } catch (error) {
        throw this.failure(flight.reasonOf(error), call);
      }
    });
    if (text.trim() === '') return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw nonsense(call.purpose, 'its answer is not JSON', cause);
    }
  }

  /** The connection itself after `101 Switching Protocols`; the caller destroys it. */
  async hijack(call: Call): Promise<Duplex> {
    const { flight, answer } = await this.#open(call, { isStream: true, hijack: true });
    if (answer instanceof Duplex) return answer;
    await this.#judge(answer, flight, call);
    answer.destroy();
    throw nonsense(call.purpose, 'it did not switch protocols');
  }

  /** What a user reads when this call broke; the signal's reason when that was why. */
  failure(error: unknown, call: Pick<Call, 'purpose' | 'signal'>): unknown {
    if (call.signal?.aborted === true) return call.signal.reason;
    return error instanceof EngineError ? error : unreachable(this.address, error, call.purpose);
  }

  /** What is in flight fails, and is not sent again. */
  close(): void {
    this.#isClosed = true;
    this.#connections.close();
  }

  async #repeating<T>(call: Call, attempt: () => Promise<T>): Promise<T> {
    const waits = paceOf(call) === 'once' ? [] : this.#patience.retries;
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt();
      } catch (error) {
        const wait = waits[tries - 1];
        if (!isPassing(error) || this.#isOver(call.signal)) throw error;
        if (wait === undefined) throw tries === 1 ? error : afterTries(error, tries);
        await call.after;
        this.#onNotice(`${error.message}: trying again`);
        await sleep(wait, undefined, { signal: call.signal }).catch(() => call.signal?.throwIfAborted());
        if (this.#isOver(call.signal)) throw error;
      }
    }
  }

  /** Whether nobody waits for an answer any more. */
  #isOver(signal: AbortSignal | undefined): boolean {
    return this.#isClosed || signal?.aborted === true;
  }

  async #send(call: Call, mode: Mode): Promise<{ flight: Flight; answer: IncomingMessage }> {
    const { flight, answer } = await this.#open(call, mode);
    if (!(answer instanceof IncomingMessage)) throw nonsense(call.purpose, 'it answered without a body');
    await this.#judge(answer, flight, call);
    return { flight, answer };
  }

  /** @throws EngineError where the status is one of failure, or the body ends too early to say why */
  async #judge(answer: IncomingMessage, flight: Flight, call: Call): Promise<void> {
    const status = answer.statusCode ?? 0;
    if (isSuccess(status)) return;
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of answer) {
        this.#limit(flight, call);
        chunks.push(chunk as Buffer);
        if (chunks.reduce((sum, { length }) => sum + length, 0) > MAX_REFUSAL) break;
      }
    } catch (error) {
      throw this.failure(flight.reasonOf(error), call);
    }
    throw refusal(call.purpose, status, Buffer.concat(chunks).toString());
  }

  async #text(answer: IncomingMessage, flight: Flight, call: Call): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer) {
      this.#limit(flight, call);
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size > MAX_ANSWER) throw nonsense(call.purpose, 'its answer has no end');
    }
    return Buffer.concat(chunks).toString();
  }

  #limit(flight: Flight, call: Call): void {
    const { answer } = this.#patience;
    if (paceOf(call) === 'quick') flight.limit(answer, () => slow(this.address, call.purpose, answer));
  }

  async #open(call: Call, mode: Mode): Promise<{ flight: Flight; answer: IncomingMessage | Duplex }> {
    call.signal?.throwIfAborted();
    await this.#watchdog.admit();
    const flight = new Flight(call.signal, (ended) => {
      this.#watchdog.remove(ended);
    });
    this.#watchdog.add(flight);
    this.#limit(flight, call);
    try {
      const answer = await this.#dial(call, mode, flight.signal);
      flight.follow(answer);
      return { flight, answer };
    } catch (error) {
      flight.end();
      throw this.failure(flight.reasonOf(error), call);
    }
  }

  async #ping(signal: AbortSignal): Promise<void> {
    const call = { method: 'GET', path: '/_ping', purpose: 'answer a ping' } as const;
    (await this.#request(call, { isStream: true }, signal)).destroy();
  }

  async #dial(call: Call, mode: Mode, signal: AbortSignal): Promise<IncomingMessage | Duplex> {
    if (paceOf(call) === 'once') return this.#request(call, mode, signal);
    const connection = { isReused: false };
    const onReuse = (): void => {
      connection.isReused = true;
    };
    try {
      return await this.#request(call, { ...mode, onReuse }, signal);
    } catch (error) {
      if (!connection.isReused || this.#isOver(signal) || !isBroken(error)) throw error;
      // The other end has closed it just now, and that is no news: this one is as good as the first.
      return this.#request(call, mode, signal);
    }
  }

  #request(call: Call, mode: Mode & ConnectionUse, signal: AbortSignal): Promise<IncomingMessage | Duplex> {
    const query = Object.fromEntries(
      Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined),
    );
    const options = {
      method: call.method,
      // docker-modem appends the query to a path with a question mark.
      path: encodeURI(call.path.includes('?') ? call.path : `${call.path}?`),
      options: { _query: query, _body: call.body ?? {} },
      headers: { ...call.headers },
      statusCodes: EVERY_STATUS,
      ...(call.upload && { file: call.upload }),
      abortSignal: signal,
      ...mode,
    };
    return new Promise((resolve, reject) => {
      this.#connections.modem.dial(options, (error, answer) => {
        if (error === null) resolve(answer as IncomingMessage | Duplex);
        else reject(error);
      });
    });
  }
}

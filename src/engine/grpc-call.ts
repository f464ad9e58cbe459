/**
 * One gRPC call as its server sees it: messages come, messages go, and it ends with a status in the trailers.
 * Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
import type { ServerHttp2Stream } from 'node:http2';
import { setImmediate as turn } from 'node:timers/promises';
import { Deframer, frame } from './grpc-frames.js';
import { encodeMessage, STATUS, type Status } from './grpc-status.js';

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };

class CallIsOver extends Error {
  override readonly message = 'the call is over';
}

export class Call {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: readonly string[];
  #over: AbortController | undefined;

  /** @param headers names and values by turns, as they came: what is joined by name cannot be taken apart again */
  constructor(stream: ServerHttp2Stream, headers: readonly string[]) {
    this.#stream = stream;
    this.#headers = headers;
    stream.once('close', () => this.#over?.abort(new CallIsOver()));
    // Whoever reads or writes hears of it.
    stream.on('error', () => undefined);
  }

  /** Aborted when the call is over, also when the other side has cancelled it or is gone. */
  get signal(): AbortSignal {
    // Most calls are short, and nobody asks.
    this.#over ??= new AbortController();
    if (this.#stream.closed) this.#over.abort(new CallIsOver());
    return this.#over.signal;
  }

  /** All values of a header, in latin1. */
  header(name: string): readonly string[] {
    return this.#headers.filter((_, index) => index % 2 === 1 && this.#headers[index - 1] === name);
  }

  /**
   * Until the other side has said all. What is not taken is not read: the other side waits.
   * @throws GrpcError for what is no message, Error where the call was cancelled or cut off
   */
  async *messages(): AsyncGenerator<Buffer, void, undefined> {
    const deframer = new Deframer();
    // Who has heard enough still answers.
    for await (const piece of this.#stream.iterator({ destroyOnReturn: false })) {
      yield* deframer.feed(piece as Buffer);
    }
    // Node.js first ends what is read as if all had come, and then tells that the stream was closed.
    await turn();
    if (this.#stream.closed || this.#stream.destroyed) throw new Error('the call was cancelled');
    deframer.end();
  }

  send(message: Buffer): Promise<void> {
    return this.sendFramed(frame(message));
  }

  /**
   * Send whole messages with their prefixes.
   * @returns when the memory may be used again, which is when the other side has made room for all of it
   */
  sendFramed(messages: Buffer): Promise<void> {
    this.#begin();
    return new Promise((resolve, reject) => {
      this.#stream.write(messages, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Nothing can be sent after it. */
  end(status: Status, message = ''): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    const trailers = { 'grpc-status': status, 'grpc-message': encodeMessage(message) };
    if (!this.#stream.headersSent && status !== STATUS.ok) {
      this.#stream.respond({ ...HEADERS, ...trailers }, { endStream: true });
      return;
    }
    this.#begin();
    this.#stream.once('wantTrailers', () => {
      this.#stream.sendTrailers(trailers);
    });
    this.#stream.end();
  }

  #begin(): void {
    if (!this.#stream.headersSent && !this.#stream.destroyed)
      this.#stream.respond(HEADERS, { waitForTrailers: true });
  }
}

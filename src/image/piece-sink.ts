/** Hands a stream on in few large pieces: what is done for each of an engine's many small chunks costs more than copying it. */
import { Writable } from 'node:stream';

const PIECE = 1 << 18;

export interface PieceUser {
  /** The piece is overwritten after the promise has settled. */
  write(piece: Buffer): Promise<void>;
  end(): Promise<void>;
}

export class PieceSink extends Writable {
  readonly #user: PieceUser;
  /** One for all: buffers that are made anew all the time keep the garbage collector busy. */
  readonly #piece = Buffer.allocUnsafeSlow(PIECE);
  #used = 0;

  constructor(user: PieceUser) {
    // Chunks that come while a piece is used may wait, so that an engine need not.
    super({ highWaterMark: 2 * PIECE });
    this.#user = user;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (chunk.length >= PIECE - this.#used) {
      settle(this.#fill(chunk), done);
      return;
    }
    this.#used += chunk.copy(this.#piece, this.#used);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    settle(this.#finish(), done);
  }

  async #fill(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const copied = chunk.copy(this.#piece, this.#used, at);
      at += copied;
      this.#used += copied;
      if (this.#used === PIECE) await this.#pass();
    }
  }

  async #finish(): Promise<void> {
    if (this.#used > 0) await this.#pass();
    await this.#user.end();
  }

  async #pass(): Promise<void> {
    await this.#user.write(this.#piece.subarray(0, this.#used));
    this.#used = 0;
  }
}

function settle(work: Promise<void>, done: (error?: Error | null) => void): void {
  work.then(() => {
    done();
  }, done);
}

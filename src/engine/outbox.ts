/** Collects what is to be sent in a few large buffers, which are used again once they have left: bounded, and nothing is copied. */

/** Together with what the connection holds, all the memory that a transfer takes, however much it sends. */
const BUFFERS = 4;
const SIZE = 1 << 18;

export class Outbox {
  readonly #send: (bytes: Buffer) => Promise<void>;
  readonly #free: Buffer[] = [];
  readonly #waiting: { readonly take: (buffer: Buffer) => void; readonly fail: (reason: unknown) => void }[] =
    [];
  readonly #leaving = new Set<Promise<void>>();
  #made = 0;
  #batch: Buffer | undefined;
  #used = 0;
  #failure: { readonly reason: unknown } | undefined;

  /** @param send resolves when the memory may be used again; calls are in the order in which the bytes are to arrive */
  constructor(send: (bytes: Buffer) => Promise<void>) {
    this.#send = send;
  }

  /** What can be put together in one piece. */
  get size(): number {
    return SIZE;
  }

  /**
   * Write to the end of what is collected.
   * @param most bytes that there has to be room for, at most `size`
   * @param write puts them at the start of what it is given, and returns how many they are. It works at once: between being given
   *   room and taking it, nobody else may come
   * @throws what `write` throws, and what `send` has failed with; RangeError where no buffer has that room
   */
  async put(most: number, write: (target: Buffer) => number): Promise<void> {
    if (most > SIZE) throw new RangeError(`${most} bytes are more than ${SIZE}`);
    for (;;) {
      const batch = this.#batch;
      if (batch !== undefined && this.#used + most <= batch.length) {
        this.#used += write(batch.subarray(this.#used));
        return;
      }
      this.flush();
      const buffer = await this.take();
      // Somebody else may have begun the next one meanwhile.
      if (this.#batch === undefined) [this.#batch, this.#used] = [buffer, 0];
      else this.give(buffer);
    }
  }

  /** Send what is collected. */
  flush(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    if (this.#used === 0) this.give(batch);
    else this.post(batch, 0, this.#used);
  }

  /** A whole buffer; waits until one is free. It goes back by `give` or `post`. @throws what `send` has failed with */
  async take(): Promise<Buffer> {
    if (this.#failure !== undefined) throw this.#failure.reason;
    const buffer = this.#free.pop();
    if (buffer !== undefined) return buffer;
    if (this.#made < BUFFERS) {
      this.#made += 1;
      return Buffer.allocUnsafeSlow(SIZE);
    }
    return new Promise((take, fail) => this.#waiting.push({ take, fail }));
  }

  give(buffer: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next.take(buffer);
  }

  /** Send a part of a buffer that was taken; what was collected before has to be flushed first where the order counts. */
  post(buffer: Buffer, start: number, end: number): void {
    const leaving = this.#send(buffer.subarray(start, end)).then(
      () => {
        this.#leaving.delete(leaving);
        this.give(buffer);
      },
      (reason: unknown) => {
        this.#leaving.delete(leaving);
        this.#failure ??= { reason };
        for (const { fail } of this.#waiting.splice(0)) fail(reason);
      },
    );
    this.#leaving.add(leaving);
  }

  /** Sends the rest, and resolves when all has left. @throws what `send` has failed with */
  async finish(): Promise<void> {
    this.flush();
    await Promise.all(this.#leaving);
    if (this.#failure !== undefined) throw this.#failure.reason;
  }
}

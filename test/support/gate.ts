/** A gate: the code under test waits at it until the test opens it, and the test can wait until it is reached. */
export class Gate {
  readonly reached: Promise<void>;
  readonly opened: Promise<void>;
  #reach: () => void = () => undefined;
  #open: () => void = () => undefined;

  constructor() {
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    this.opened = new Promise((resolve) => (this.#open = resolve));
  }

  /** Wait here until the gate is opened; rejects with the signal's reason when that is aborted first. */
  async pass(signal?: AbortSignal): Promise<void> {
    this.#reach();
    if (signal === undefined) return this.opened;
    signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
    await Promise.race([this.opened, aborted]);
  }

  open(): void {
    this.#open();
  }
}

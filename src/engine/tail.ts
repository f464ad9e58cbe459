/** Keeps the last lines of an output, for error messages. */
const KEPT = 20;
const LONGEST = 2000;

export class Tail {
  readonly #lines: string[] = [];

  push(line: string): void {
    this.#lines.push(line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line);
    if (this.#lines.length > KEPT) this.#lines.shift();
  }

  /** Oldest first. */
  get lines(): readonly string[] {
    return [...this.#lines];
  }
}

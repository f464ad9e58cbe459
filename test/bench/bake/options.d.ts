/** Types of options.js. */

export interface Options {
  quick: boolean;
  cases: string[];
  without: string[];
  runs: number | undefined;
  out: string | undefined;
}

export function readOptions(
  args: readonly string[],
  known: { cases: readonly string[]; peers: readonly string[]; out: string },
): Options;

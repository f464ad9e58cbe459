/** How the lab tells what it does: one line when it begins, one with the time it took. */

export interface Say {
  line(text: string): void;
  timed<T>(what: string, work: () => Promise<T>): Promise<T>;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Lines go to `write`, each begun by `prefix`. */
export function speaker(write: (line: string) => void, prefix = 'lab: '): Say {
  const line = (text: string): void => {
    write(`${prefix}${text.replaceAll('\n', `\n${' '.repeat(prefix.length)}`)}`);
  };
  return {
    line,
    async timed(what, work) {
      line(what);
      const begun = performance.now();
      const result = await work();
      line(`  done in ${seconds(performance.now() - begun)}`);
      return result;
    },
  };
}

/** Speaks on standard error: standard output is for results. */
export const aloud = speaker((line) => process.stderr.write(`${line}\n`));

/** The few commands that the fake engine runs, and scripts that tests give to others. */
import { once } from 'node:events';

export interface ShellIo {
  readonly line: (stream: 'stdout' | 'stderr', text: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves with the exit code; rejects with the signal's reason when aborted. */
export type Script = (io: ShellIo) => Promise<number>;

/** Knows `echo TEXT [>&2]`, `exit N`, `true`, `false`, `sleep N` (which ends by abort only), joined by `&&`. */
export async function runShell(
  text: string,
  scripts: ReadonlyMap<string, Script>,
  io: ShellIo,
): Promise<number> {
  const script = scripts.get(text);
  if (script !== undefined) return script(io);
  for (const command of text.split(' && ')) {
    io.signal.throwIfAborted();
    const code = await runCommand(command.trim(), io);
    if (code !== 0) return code;
  }
  return 0;
}

async function runCommand(command: string, { line, signal }: ShellIo): Promise<number> {
  const [program = '', ...words] = command.split(/\s+/);
  switch (program) {
    case 'echo': {
      const toStderr = words.at(-1) === '>&2';
      line(toStderr ? 'stderr' : 'stdout', (toStderr ? words.slice(0, -1) : words).join(' '));
      return 0;
    }
    case 'exit':
      return Number(words[0] ?? 0);
    case 'true':
      return 0;
    case 'false':
      return 1;
    case 'sleep':
      if (!signal.aborted) await once(signal, 'abort');
      signal.throwIfAborted();
      return 0;
    default:
      line('stderr', `/bin/sh: ${program}: not found`);
      return 127;
  }
}

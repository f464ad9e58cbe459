/** Runs a shell command line on the host, in a process group of its own so that a cancel reaches all it started. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

/** How long a cancelled command may take to end by itself. */
const GRACE_MS = 500;
/** What a command leaves running may hold its output open for ever: after its end that is read this long. */
const LAST_WORDS_MS = 500;

export interface ShellCommand {
  readonly command: string;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What it says on standard error: read, or thrown away. */
  readonly stderr: 'pipe' | 'ignore';
}

/**
 * What the command left running in the background goes on, but its output is no longer read once the command has ended.
 * @param listen attaches to its output, before anything of it comes; `stop` ends the command
 * @returns its exit status; 128 plus the signal's number where a signal ended it, as shells say it
 * @throws the signal's reason when it was aborted, once the command has ended
 */
export async function runShell(
  { command, directory, environment, stderr }: ShellCommand,
  listen: (child: ChildProcess, stop: () => void) => void,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: directory,
    env: { ...environment },
    stdio: ['ignore', 'pipe', stderr],
    detached: true,
  });
  const kill = (name: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, name);
    } catch {
      // The group has ended by itself.
    }
  };
  let lastResort: NodeJS.Timeout | undefined;
  const stop = (): void => {
    kill('SIGTERM');
    lastResort ??= setTimeout(() => {
      kill('SIGKILL');
    }, GRACE_MS);
  };
  let hangUp: NodeJS.Timeout | undefined;
  child.once('exit', () => {
    hangUp = setTimeout(
      () => {
        // After one more look at the pipes, which holds all that the command itself has written.
        setImmediate(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
        });
      },
      signal.aborted ? 0 : LAST_WORDS_MS,
    );
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    const closed = once(child, 'close');
    listen(child, stop);
    const [code, killedBy] = (await closed) as [number | null, NodeJS.Signals | null];
    signal.throwIfAborted();
    return code ?? 128 + (killedBy === null ? 0 : constants.signals[killedBy]);
  } finally {
    clearTimeout(lastResort);
    clearTimeout(hangUp);
    signal.removeEventListener('abort', stop);
  }
}

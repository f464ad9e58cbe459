/** Runs a shell command line on the host, in a process group of its own so that a cancel reaches all it started. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { monotonic } from '../clock.js';

/** How long a cancelled command, and what it has started, may take to end by themselves. */
const GRACE_MS = 500;
const LOOK_AGAIN_MS = 10;
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
 * @throws the signal's reason when it was aborted, once the command has ended, and with it all of its process group
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
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    if (child.pid !== undefined) stopping ??= endGroup(child.pid);
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
    clearTimeout(hangUp);
    signal.removeEventListener('abort', stop);
    await stopping;
  }
}

async function endGroup(group: number): Promise<void> {
  signalGroup(group, 'SIGTERM');
  const deadline = monotonic() + GRACE_MS;
  while (signalGroup(group, 0)) {
    if (monotonic() >= deadline) {
      signalGroup(group, 'SIGKILL');
      return;
    }
    await delay(LOOK_AGAIN_MS);
  }
}

/** @returns false where nothing of the group is left */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

/** Runs a shell command line on the host, in a process group of its own so that a cancel reaches all it started. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { LineSplitter } from './lines.js';

/** How long a cancelled command may take to end by itself. */
const GRACE_MS = 500;
/** What a command leaves running may hold its output open for ever: after its end that is read this long. */
const LAST_WORDS_MS = 500;

/**
 * What the command left running in the background goes on, but its output is no longer read once the command has ended.
 * @param environment added to the environment of this process
 * @returns its exit status; 128 plus the signal's number where a signal ended it, as shells say it
 * @throws the signal's reason when it was aborted, once the command has ended
 */
export async function runHostCommand(
  command: string,
  directory: string,
  environment: Readonly<Record<string, string>>,
  onLine: (stream: 'stdout' | 'stderr', line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  for (const stream of ['stdout', 'stderr'] as const) {
    const lines = new LineSplitter((line) => {
      onLine(stream, line);
    });
    child[stream].on('data', (chunk: Buffer) => {
      lines.write(chunk);
    });
    // Not `end`: that one does not come where the output is cut off.
    child[stream].on('close', () => {
      lines.end();
    });
  }
  let hangUp: NodeJS.Timeout | undefined;
  child.once('exit', () => {
    hangUp = setTimeout(() => {
      // After one more look at the pipes, which holds all that the command itself has written.
      setImmediate(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      });
    }, LAST_WORDS_MS);
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
  const cancel = (): void => {
    kill('SIGTERM');
    lastResort = setTimeout(() => {
      kill('SIGKILL');
    }, GRACE_MS);
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    signal.throwIfAborted();
    return code ?? 128 + (killedBy === null ? 0 : constants.signals[killedBy]);
  } finally {
    clearTimeout(lastResort);
    clearTimeout(hangUp);
    signal.removeEventListener('abort', cancel);
  }
}

/** Reads a secret from a command on the host, such as that of a password manager. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

/** How long a cancelled command may take to end by itself. */
const GRACE_MS = 500;
/** What it leaves running may hold its output open for ever: after its end that is read this long. */
const LAST_WORDS_MS = 500;

export type CommandOutput =
  | { readonly kind: 'value'; readonly value: Buffer }
  | {
      readonly kind: 'failed';
      /** 128 plus the signal's number where one ended it. */ readonly exitCode: number;
    }
  | { readonly kind: 'too-long' };

/**
 * Run a shell command line and take what it prints, without one final line break. What it says on standard error goes
 * nowhere: a command that fails may well say what it was to keep.
 * @param longest bytes; a command that prints more is stopped
 * @throws the signal's reason when it was aborted, once the command has ended
 */
export async function readCommand(
  command: string,
  directory: string,
  environment: Readonly<Record<string, string | undefined>>,
  longest: number,
  signal: AbortSignal,
): Promise<CommandOutput> {
  signal.throwIfAborted();
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: directory,
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
    // A process group of its own, so that a cancel reaches all it started.
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
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    // Room for a line break. The rest is read and thrown away, or the command could not end.
    if (size <= longest + 2) chunks.push(chunk);
    else stop();
  });
  // What it left running in the background must not hold the build up.
  let hangUp: NodeJS.Timeout | undefined;
  child.once('exit', () => {
    hangUp = setTimeout(() => {
      // After one more look at the pipe, which holds all that the command itself has printed.
      setImmediate(() => child.stdout.destroy());
    }, LAST_WORDS_MS);
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    signal.throwIfAborted();
    const value = withoutLineBreak(Buffer.concat(chunks));
    if (size > longest + 2 || value.length > longest) return { kind: 'too-long' };
    const exitCode = code ?? 128 + (killedBy === null ? 0 : constants.signals[killedBy]);
    return exitCode === 0 ? { kind: 'value', value } : { kind: 'failed', exitCode };
  } finally {
    clearTimeout(lastResort);
    clearTimeout(hangUp);
    signal.removeEventListener('abort', stop);
  }
}

/** Without the one that `echo` and every tool add: `\n` or `\r\n`. */
function withoutLineBreak(output: Buffer): Buffer {
  if (output.at(-1) !== 0x0a) return output;
  return output.subarray(0, output.at(-2) === 0x0d ? -2 : -1);
}

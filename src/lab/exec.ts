/** Runs the system's own tools (ip, iptables, apt-get, mmdebstrap) and turns their failures into LabErrors. */

import { spawn } from 'node:child_process';
import { LabError } from './error.js';

export interface ExecOptions {
  /** Kills the tool after this many milliseconds; default ten minutes. */
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** What to do next when it fails. */
  readonly hint?: string;
}

export interface Finished {
  /** Exit code, or the name of the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

const TEN_MINUTES = 600_000;
const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

/** The caller's environment with the system folders on PATH and English messages. */
export const systemEnv = (): NodeJS.ProcessEnv => ({ ...process.env, PATH, LC_ALL: 'C' });

/** Runs a tool to its end whatever its exit code; rejects only when it cannot be started. */
export async function attempt(
  argv: readonly [string, ...string[]],
  options: ExecOptions = {},
): Promise<Finished> {
  const [file, ...args] = argv;
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: options.env ?? systemEnv(),
    timeout: options.timeoutMs ?? TEN_MINUTES,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code: code ?? signal ?? 'unknown', stdout, stderr });
    });
  });
}

/** Runs a tool and gives its standard output; an exit code other than 0 is a LabError with its last lines. */
export async function run(argv: readonly [string, ...string[]], options: ExecOptions = {}): Promise<string> {
  const hint = options.hint ?? `run it by hand to see more: ${argv.join(' ')}`;
  let finished: Finished;
  try {
    finished = await attempt(argv, options);
  } catch (cause) {
    throw new LabError(`${argv[0]} could not be started`, hint, { cause });
  }
  if (finished.code === 0) return finished.stdout;
  const tail = lastLines(`${finished.stdout}\n${finished.stderr}`, 8);
  throw new LabError(`${argv[0]} ended with ${finished.code}:\n${tail}`, hint);
}

/**
 * The command line that runs a tool of which nothing may outlive this process, however it ends: mounts and processes are in
 * namespaces of their own, gone with the tool, which the kernel kills after its parent (unshare(1), setpriv(1)).
 */
export const enclosed = (argv: readonly string[]): readonly [string, ...string[]] => [
  ...(['setpriv', '--pdeathsig', 'KILL'] as const),
  ...['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'],
  ...argv,
];

/** Is there a program of this name? */
export async function hasProgram(name: string): Promise<boolean> {
  const found = await attempt(['/bin/sh', '-c', 'command -v "$0"', name]);
  return found.code === 0;
}

/** The last `count` lines that are not empty. */
export function lastLines(text: string, count: number): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n');
}

/** Runs a program and measures it: time that passes, processors' time and memory of it and of what it starts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

/** GNU time: Node tells nothing of a child's resources. */
const TIME = '/usr/bin/time';
/** More than the slowest of them needs. */
const PATIENCE_MS = 600_000;

/**
 * @param command `argv`, `env`, `cwd`
 * @param folder for what it prints, and for the measured values
 * @returns `wall` and `cpu` in seconds; `megabytes` is the peak of the largest process
 * @throws Error with the end of what it printed, when it fails; the signal's reason, when it is stopped: after it has ended
 */
export async function measure({ argv, env, cwd }, folder, signal) {
  signal.throwIfAborted();
  const [values, printed] = [join(folder, 'time'), join(folder, 'output')];
  const output = openSync(printed, 'w');
  // A group of its own: Ctrl-C reaches it by us, and it is waited for.
  const child = spawn(TIME, ['-o', values, '-f', '%U %S %M', ...argv], {
    cwd,
    env,
    stdio: ['ignore', output, output],
    detached: true,
  });
  const started = performance.now();
  closeSync(output);
  // Until its end is known, its number cannot be another's.
  const stop = (name) => () => child.exitCode ?? child.signalCode ?? process.kill(-child.pid, name);
  const interrupt = stop('SIGINT');
  const late = globalThis.setTimeout(stop('SIGKILL'), PATIENCE_MS);
  signal.addEventListener('abort', interrupt);
  try {
    const [code] = await once(child, 'exit');
    const wall = (performance.now() - started) / 1000;
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`${argv.join(' ').slice(0, 200)} failed:\n${tail(printed)}`);
    const [user, system, kilobytes] = readFileSync(values, 'utf8').trim().split(' ').map(Number);
    return { wall, cpu: user + system, megabytes: (kilobytes * 1024) / 1e6 };
  } finally {
    globalThis.clearTimeout(late);
    signal.removeEventListener('abort', interrupt);
  }
}

function tail(file) {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-15).join('\n');
}

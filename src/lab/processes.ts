/** Knows a process again by more than its number, since numbers are given out anew. */

import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError, hasCode } from './error.js';

export interface ProcessId {
  readonly pid: number;
  /** Boot and start time in clock ticks: together with `pid` unique for ever. */
  readonly started: string;
}

/**
 * The start time (field 22) of a `/proc/PID/stat` line, whose program name may hold spaces and brackets; undefined for a
 * zombie, which only waits for its parent to read its exit code (proc_pid_stat(5)).
 */
export function startTime(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

/** The process that has this number now, or undefined where there is none. */
export async function identify(pid: number): Promise<ProcessId | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const ticks = startTime(stat);
    return ticks === undefined ? undefined : { pid, started: `${boot.trim()}:${ticks}` };
  } catch {
    return undefined;
  }
}

export async function isAlive(id: ProcessId): Promise<boolean> {
  return (await identify(id.pid))?.started === id.started;
}

/**
 * The `unshare` that runs with this argument. Asking the kernel, and not a file, finds it also when whoever started it was
 * killed before writing anything down.
 */
export async function findNamespace(argument: string): Promise<ProcessId | undefined> {
  for (const name of await readdir('/proc')) {
    const args = /^\d+$/.test(name) ? await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '') : '';
    const words = args.split('\0');
    if (words[0] === 'unshare' && words.includes(argument)) return identify(Number(name));
  }
  return undefined;
}

/**
 * Kills `unshare --fork --pid` and what it started, and waits until all of it is gone. Its child is the first process of
 * the PID namespace: that one ends only after every other process in there has ended.
 */
export async function killNamespace(id: ProcessId): Promise<void> {
  if (!(await isAlive(id))) return;
  const inside = (await readFile(`/proc/${id.pid}/task/${id.pid}/children`, 'utf8'))
    .trim()
    .split(' ')
    .map(Number);
  const all = [...(await Promise.all(inside.map(identify))), id].filter((found) => found !== undefined);
  for (const target of all) {
    if (await isAlive(target)) killNow(target.pid);
  }
  for (let waited = 0; waited < 15_000; waited += 50) {
    const alive = await Promise.all(all.map(isAlive));
    if (!alive.includes(true)) return;
    await sleep(50);
  }
  throw new LabError(`process ${id.pid} does not end`, 'look at it with `ps`, then try again');
}

/** `unshare` ends by itself a moment after its child: that it is gone already is fine. */
function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

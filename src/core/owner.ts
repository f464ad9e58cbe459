/** Who owns a session: one process of one boot of one host. Tells whether that process still lives. */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface Owner {
  /** Hash of the host's machine ID and name, 12 hex digits. */
  readonly host: string;
  /** Hash of the kernel's boot ID; `0` where the system tells none. */
  readonly boot: string;
  /** Number of the PID namespace: containers have their own; `0` where there are none. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** When the process began, in clock ticks since the boot; `0` where the system does not tell. */
  readonly started: string;
}

/** `unknown`: of another host or container, whose processes cannot be seen from here. */
export type Life = 'running' | 'dead' | 'unknown';

const VERSION = 'o1';
const UNTOLD = '0';

let known: Owner | undefined;

/** The owner of what this process makes. */
export function thisProcess(): Owner {
  known ??= {
    host: hash(`${read('/etc/machine-id')}\n${hostname()}`),
    boot: told(read('/proc/sys/kernel/random/boot_id'), hash),
    pidNamespace: told(/\d+/.exec(link('/proc/self/ns/pid'))?.[0] ?? ''),
    pid: process.pid,
    started: statOf('self')[1] ?? UNTOLD,
  };
  return known;
}

/** As a part of an image tag: at most 80 characters of `[a-z0-9.]`. */
export function formatOwner({ host, boot, pidNamespace, pid, started }: Owner): string {
  return [VERSION, host, boot, pidNamespace, pid, started].join('.');
}

/** @returns `undefined` for what `formatOwner` has not written */
export function parseOwner(text: string): Owner | undefined {
  const parts = /^o1\.([0-9a-f]{12})\.([0-9a-f]{12}|0)\.(\d{1,20})\.([1-9]\d{0,9})\.(\d{1,20})$/.exec(text);
  if (parts === null) return undefined;
  const [, host = '', boot = '', pidNamespace = '', pid = '', started = ''] = parts;
  return { host, boot, pidNamespace, pid: Number(pid), started };
}

/**
 * Whether an owner still lives, as far as it can be known from here: in doubt it does.
 * @param began when its session began, in milliseconds since the epoch
 */
export function lifeOf(owner: Owner, began: number, here: Owner = thisProcess()): Life {
  if (owner.boot !== here.boot) {
    // Hosts made from one image may share ID and name: an earlier boot of this one began its sessions before this boot.
    const earlier = owner.boot !== UNTOLD && here.boot !== UNTOLD && began < bootTime();
    return owner.host === here.host && earlier ? 'dead' : 'unknown';
  }
  // A boot ID tells one kernel from all others; where there is none, hosts are told apart by name.
  if (here.boot === UNTOLD && owner.host !== here.host) return 'unknown';
  if (owner.pidNamespace !== here.pidNamespace) return 'unknown';
  const [state = '', started = UNTOLD] = statOf(String(owner.pid));
  if (!exists(owner.pid) || ENDED.test(state)) return 'dead';
  const reused = started !== UNTOLD && owner.started !== UNTOLD && started !== owner.started;
  return reused ? 'dead' : 'running';
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is somebody else's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Killed, but whoever started it has not asked for its status: under a PID 1 that never does, it is there for ever. */
const ENDED = /^[ZXx]$/;

/**
 * Fields 3 and 22 of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; the name before them may hold anything.
 * @returns state and start, where the system tells them
 */
function statOf(pid: string): readonly [state?: string, started?: string] {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === '') return [];
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [fields[0] ?? '', fields[19] ?? UNTOLD];
}

/** Milliseconds since the epoch. */
function bootTime(): number {
  const seconds = /^btime (\d+)$/m.exec(read('/proc/stat'))?.[1];
  return seconds === undefined ? 0 : Number(seconds) * 1000;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

function told(text: string, make: (text: string) => string = (same) => same): string {
  return text === '' ? UNTOLD : make(text);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

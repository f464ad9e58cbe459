/** The machine, which goes on working when a program has ended. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt } from '../../../dist/lab/exec.js';

/** Milliseconds. */
const LOOK = 500;
/** BuildKit begins to write down the traces of a build a second after its end. */
const QUIET = 2_000;
const PATIENCE = 60_000;
/** Between two looks; an idle engine does a little now and then. */
const FEW = { operations: 100, work: 100 };

/**
 * Waits until what was written is on the disks, what was removed is given back, and no processor works any more, so that a program does
 * not pay for what another has left to do. A file system that is mounted with `discard` gives back for seconds where many files went,
 * and the engine writes down what it has built.
 * @returns whether it came to rest; waits a minute at most
 */
export async function atRest(signal) {
  await attempt(['sync']);
  let [before, quiet] = [look(), 0];
  for (let waited = 0; waited < PATIENCE && quiet < QUIET; waited += LOOK) {
    await sleep(LOOK, undefined, { signal });
    const now = look();
    const isQuiet = Object.keys(FEW).every((kind) => now[kind] - before[kind] < FEW[kind]);
    [before, quiet] = [now, isQuiet ? quiet + LOOK : 0];
  }
  return quiet >= QUIET;
}

/** Since the start of the system. */
const look = () => ({ operations: diskOperations(), work: processorTime() });

/**
 * Reads, writes and discards of all disks.
 * Source: https://www.kernel.org/doc/html/latest/admin-guide/iostats.html
 */
function diskOperations() {
  const disks = readFileSync('/proc/diskstats', 'utf8').trim().split('\n');
  return disks
    .map((line) => line.trim().split(/\s+/))
    .reduce((sum, fields) => sum + [3, 7, 14].reduce((all, at) => all + Number(fields[at] ?? 0), 0), 0);
}

/**
 * Milliseconds in which processors worked: for programs, the system and interrupts.
 * Source: https://www.kernel.org/doc/html/latest/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat
 */
function processorTime() {
  const [all] = readFileSync('/proc/stat', 'utf8').split('\n');
  const fields = all.split(/\s+/).slice(1).map(Number);
  return TICK * [0, 1, 2, 5, 6].reduce((sum, at) => sum + fields[at], 0);
}

/** Milliseconds: USER_HZ is 100 on every architecture that Docker runs on. */
const TICK = 10;

/** The disks, which go on working when a program has ended. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt } from '../../../dist/lab/exec.js';

/** Milliseconds. */
const LOOK = 500;
const PATIENCE = 60_000;
/** Operations between two looks; an idle engine writes down a little now and then. */
const FEW = 100;

/**
 * Waits until what was written is on the disks, and what was removed is given back: a file system that is mounted with `discard`
 * does that after the removal, for seconds where many files went, and who writes meanwhile may have to wait.
 */
export async function diskAtRest(signal) {
  await attempt(['sync']);
  let before = operations();
  for (let waited = 0; waited < PATIENCE; waited += LOOK) {
    await sleep(LOOK, undefined, { signal });
    const now = operations();
    if (now - before < FEW) return;
    before = now;
  }
}

/**
 * Reads, writes and discards of all disks since the start of the system.
 * Source: https://www.kernel.org/doc/html/latest/admin-guide/iostats.html
 */
function operations() {
  const disks = readFileSync('/proc/diskstats', 'utf8').trim().split('\n');
  return disks
    .map((line) => line.trim().split(/\s+/))
    .reduce((sum, fields) => sum + [3, 7, 14].reduce((all, at) => all + Number(fields[at] ?? 0), 0), 0);
}

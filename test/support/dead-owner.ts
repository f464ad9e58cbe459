/** Marks of a process that is dead, for tests of what it left. */
import { formatOwner, thisProcess, type Owner } from '../../src/core/owner.js';

/** Linux gives no process a number above 4194304: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html */
export const DEAD: Owner = { ...thisProcess(), pid: 4_194_305 };
export const ELSEWHERE: Owner = { ...thisProcess(), host: 'a'.repeat(12), boot: 'b'.repeat(12) };

export function labelsOf(session: string, owner: Owner): Readonly<Record<string, string>> {
  return { 'habitus.session': session, 'habitus.owner': formatOwner(owner) };
}

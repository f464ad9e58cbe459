/**
 * A context as the classic builder leaves it: root's, without what files lose when they are given to root.
 *
 * Its cache (seen on 28.5) does not tell a `COPY` from the context from a `COPY --from` of an image when path, owner, mode
 * and content agree, though only the latter keeps owner, setuid and capabilities. Where they matter, these do not agree.
 */
import type { Readable } from 'node:stream';
import type { BuildContext, ContextEntry } from './context.js';

const SETUID = 0o4000;
const SETGID = 0o2000;
const GROUP_EXECUTE = 0o010;
const CAPABILITY = 'security.capability';

export function rootOwned(context: BuildContext): BuildContext {
  return {
    async *entries(signal: AbortSignal): AsyncGenerator<ContextEntry> {
      for await (const entry of context.entries(signal)) yield givenToRoot(entry);
    },
    open: (entry: ContextEntry, signal: AbortSignal): Readable => context.open(entry, signal),
  };
}

/** What chown(2) makes of it. */
function givenToRoot({ xattrs, ...entry }: ContextEntry): ContextEntry {
  const left = new Map([...(xattrs ?? [])].filter(([name]) => name !== CAPABILITY));
  return {
    ...entry,
    uid: 0,
    gid: 0,
    mode: entry.type === 'directory' ? entry.mode : entry.mode & ~lostBits(entry.mode),
    ...(left.size > 0 && { xattrs: left }),
  };
}

/** Setgid without the group's execute bit is a lock, not a right, and stays. */
function lostBits(mode: number): number {
  return (mode & GROUP_EXECUTE) === 0 ? SETUID : SETUID | SETGID;
}

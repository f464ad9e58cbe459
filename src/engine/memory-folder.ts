/** A context of a few small files that exist only in memory. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BuildContext, ContextEntry } from '../tar/context.js';

/** @param files contents by name, in the order of their names' bytes */
export function memoryFolder(files: ReadonlyMap<string, Buffer>): BuildContext {
  return {
    *entries() {
      for (const [path, content] of files) yield entryOf(path, content);
    },
    open: ({ path }) => Readable.from([files.get(path) ?? Buffer.alloc(0)], { objectMode: false }),
  };
}

/** BuildKit takes files of the same size and time for the same file: the time is made from the content. */
function entryOf(path: string, content: Buffer): ContextEntry {
  const mtimeNs = createHash('sha256').update(content).digest().readBigUInt64BE() >> 4n;
  return { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length, mtimeNs };
}

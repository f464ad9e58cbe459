/** The entries of one layer in a few bytes each, in their order: what merging needs to know of them. */

import { release } from './memory.js';

/** What one record says. The object that `forEach` gives is reused: copy what you keep. */
export interface LogRecord {
  /** Path as in names.ts. */
  path: string;
  kind: 'path' | 'whiteout' | 'opaque';
  /** Type flag of the entry as a character code. */
  type: number;
  /** For a hard link: path of its target. */
  target: string;
  /** First block of the entry, counted from the layer's first. */
  start: number;
  /** Blocks of the entry up to and with its header. */
  head: number;
  /** Blocks of its body. */
  body: number;
}

const KINDS = ['path', 'whiteout', 'opaque'] as const;
const FIRST_CHUNK = 1 << 12;
const LAST_CHUNK = 1 << 18;
/** Kind, type, three block numbers, three lengths. */
const FIXED = 1 + 1 + 3 * 4 + 3 * 2;

/** Append-only. Names that share their beginning with the one before, as they do in archives, share its bytes. */
export class LayerLog {
  #chunks: Buffer[] = [];
  /** Bytes used of each chunk but the last, then of the last. */
  #used: number[] = [];
  #last = '';
  #count = 0;
  #nameBytes = 0;

  /** Records. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the names that differ from those before: about what a tree of them takes. */
  get nameBytes(): number {
    return this.#nameBytes;
  }

  add(record: Readonly<LogRecord>): void {
    const { path, target } = record;
    const shared = sharedLength(this.#last, path);
    const own = path.length - shared;
    const { chunk, at } = this.#room(FIXED + own + target.length);
    chunk[at] = KINDS.indexOf(record.kind);
    chunk[at + 1] = record.type;
    chunk.writeUInt32LE(record.start, at + 2);
    chunk.writeUInt32LE(record.head, at + 6);
    chunk.writeUInt32LE(record.body, at + 10);
    chunk.writeUInt16LE(shared, at + 14);
    chunk.writeUInt16LE(own, at + 16);
    chunk.writeUInt16LE(target.length, at + 18);
    if (own > 0) chunk.write(shared === 0 ? path : path.slice(shared), at + FIXED, 'latin1');
    if (target !== '') chunk.write(target, at + FIXED + own, 'latin1');
    this.#last = path;
    this.#count += 1;
    this.#nameBytes += path.length - path.lastIndexOf('/', shared) - 1;
  }

  forEach(visit: (record: Readonly<LogRecord>) => void): void {
    const path = Buffer.alloc(1 << 16);
    const record: LogRecord = { path: '', kind: 'path', type: 0, target: '', start: 0, head: 0, body: 0 };
    for (const [index, chunk] of this.#chunks.entries()) {
      const end = this.#used[index] ?? 0;
      for (let at = 0; at < end;) {
        const shared = chunk.readUInt16LE(at + 14);
        const own = chunk.readUInt16LE(at + 16);
        const targetLength = chunk.readUInt16LE(at + 18);
        const target = at + FIXED + own;
        chunk.copy(path, shared, at + FIXED, target);
        record.path = path.toString('latin1', 0, shared + own);
        record.kind = KINDS[chunk[at] ?? 0] ?? 'path';
        record.type = chunk[at + 1] ?? 0;
        record.target = targetLength === 0 ? '' : chunk.toString('latin1', target, target + targetLength);
        record.start = chunk.readUInt32LE(at + 2);
        record.head = chunk.readUInt32LE(at + 6);
        record.body = chunk.readUInt32LE(at + 10);
        at = target + targetLength;
        visit(record);
      }
    }
  }

  /** The log is empty afterwards. */
  release(): void {
    for (const chunk of this.#chunks) release(chunk);
    this.#chunks = [];
    this.#used = [];
    this.#count = 0;
  }

  #room(length: number): { readonly chunk: Buffer; readonly at: number } {
    const index = this.#chunks.length - 1;
    const last = this.#chunks[index];
    const used = this.#used[index] ?? 0;
    if (last !== undefined && used + length <= last.length) {
      this.#used[index] = used + length;
      return { chunk: last, at: used };
    }
    const grown = last === undefined ? FIRST_CHUNK : Math.min(LAST_CHUNK, 2 * last.length);
    const chunk = Buffer.allocUnsafeSlow(Math.max(length, grown));
    this.#chunks.push(chunk);
    this.#used.push(length);
    return { chunk, at: 0 };
  }
}

function sharedLength(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}

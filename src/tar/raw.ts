/** Scans a tar byte stream, fed in pieces of any size, into entries as byte ranges; bodies are never copied. */
import { TarError } from './errors.js';
import { parsePax, parsePaxNumber, parsePaxTime } from './pax.js';
import { BLOCK, isZeroBlock, readHeader, text, type RawFields } from './raw-header.js';

const META_LIMIT = 1 << 20;
const NO_RECORDS: ReadonlyMap<string, string> = new Map();

/** One entry. Strings are latin1: one character a byte. Offsets are absolute in the archive. */
export interface RawEntry {
  /** As in the archive: folders usually end with `/`, and `./` may lead. */
  readonly path: string;
  /** Target of a symlink or hard link, as in the archive; else `''`. */
  readonly linkname: string;
  /** The type flag, e.g. `0` file, `1` hard link, `2` symlink, `5` folder; NUL is given as `0` or `5`. */
  readonly type: string;
  /** Bytes of body; 0 for links, folders, devices and fifos whatever the header says, as Go's archive/tar has it. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Records of the entry's own `x` block. Those of `g` blocks are checked but not applied: the engine ignores them. */
  readonly pax: ReadonlyMap<string, string>;
  /** Offset of the first of the blocks K, L, x, g that belong to it, or of its header. */
  readonly start: number;
  readonly header: number;
  /** Offset of the body. */
  readonly data: number;
  /** Offset after the body and its padding. */
  readonly end: number;
}

export type TarEvent =
  | { readonly type: 'entry'; readonly entry: RawEntry }
  /** A part of a body, in order, without padding. `bytes` is a view of the fed chunk. */
  | { readonly type: 'body'; readonly entry: RawEntry; readonly offset: number; readonly bytes: Buffer }
  /** All of a body was given (at once where there is none). */
  | { readonly type: 'entry-end'; readonly entry: RawEntry };

interface Meta {
  readonly start: number;
  readonly longName?: string;
  readonly longLink?: string;
  readonly pax?: ReadonlyMap<string, string>;
  /** Whether a block was seen that only makes sense with an entry after it: any but `g`. */
  readonly bound: boolean;
}

type State =
  | { readonly at: 'header' }
  | { readonly at: 'meta'; readonly flag: string; readonly size: number; readonly data: number }
  | { readonly at: 'body'; readonly entry: RawEntry }
  | { readonly at: 'padding'; readonly end: number }
  | { readonly at: 'zero' }
  | { readonly at: 'done' };

/**
 * Feed it the archive piece by piece, then call `end`. GNU long names (K, L), PAX `x`, ustar prefixes and base-256
 * numbers are resolved; sparse files and damaged archives are refused with a TarError.
 */
export class TarScanner {
  #offset: number;
  #state: State = { at: 'header' };
  #meta: Meta | undefined;
  /** Bytes of a header or meta body that a chunk border cut. */
  #pending: Buffer[] = [];
  #pendingLength = 0;

  /** @param offset what the first byte fed counts as: for an archive inside another file */
  constructor(offset = 0) {
    this.#offset = offset;
  }

  /** Absolute offset of the next byte to feed. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether the end mark (two zero blocks) was seen; everything after it is ignored. */
  get finished(): boolean {
    return this.#state.at === 'done';
  }

  /** How many of the next bytes are body and padding of an entry: `skip` may pass over them where they need not be read. */
  get skippable(): number {
    if (this.#state.at === 'body') return this.#state.entry.end - this.#offset;
    return this.#state.at === 'padding' ? this.#state.end - this.#offset : 0;
  }

  /** @throws TarError */
  feed(chunk: Buffer): TarEvent[] {
    const events: TarEvent[] = [];
    let at = 0;
    while (at < chunk.length) at += this.#step(chunk, at, events);
    return events;
  }

  /** Go to the end of the current entry without its bytes; there is no `entry-end` for it. */
  skip(): void {
    this.#offset += this.skippable;
    this.#state = { at: 'header' };
  }

  /** The input is over. An archive without end mark passes, if it ends between entries. @throws TarError */
  end(): void {
    const { at } = this.#state;
    const inside =
      (at === 'header' || at === 'zero') && this.#pendingLength === 0 ? this.#meta?.bound : at !== 'done';
    if (inside === true) throw new TarError('the archive is cut off', this.#offset);
  }

  /** Handle what comes next in the chunk; returns how many bytes were used. */
  #step(chunk: Buffer, at: number, events: TarEvent[]): number {
    const state = this.#state;
    const left = chunk.length - at;
    switch (state.at) {
      case 'header':
      case 'zero':
        return this.#collect(chunk, at, BLOCK, (block, from) => {
          this.#header(block, from, events);
        });
      case 'meta':
        return this.#collect(chunk, at, padded(state.size), (block, from) => {
          this.#metaBody(state.flag, block, from, state.size, state.data);
        });
      case 'body': {
        const { entry } = state;
        const used = Math.min(left, entry.data + entry.size - this.#offset);
        events.push({ type: 'body', entry, offset: this.#offset, bytes: chunk.subarray(at, at + used) });
        this.#offset += used;
        if (this.#offset === entry.data + entry.size) this.#finish(entry, events);
        return used;
      }
      case 'padding': {
        const used = Math.min(left, state.end - this.#offset);
        this.#offset += used;
        if (this.#offset === state.end) this.#state = { at: 'header' };
        return used;
      }
      case 'done':
        this.#offset += left;
        return left;
    }
  }

  /** Call `use` on `length` bytes in one piece: in place where the chunk holds them all. */
  #collect(chunk: Buffer, at: number, length: number, use: (block: Buffer, from: number) => void): number {
    const used = Math.min(chunk.length - at, length - this.#pendingLength);
    this.#offset += used;
    if (used === length) {
      use(chunk, at);
      return used;
    }
    // A copy: the caller may reuse the chunk.
    this.#pending.push(Buffer.from(chunk.subarray(at, at + used)));
    this.#pendingLength += used;
    if (this.#pendingLength === length) {
      const whole = Buffer.concat(this.#pending, length);
      this.#pending = [];
      this.#pendingLength = 0;
      use(whole, 0);
    }
    return used;
  }

  #header(block: Buffer, from: number, events: TarEvent[]): void {
    const start = this.#offset - BLOCK;
    if (block[from] === 0 && isZeroBlock(block, from)) {
      if (this.#meta?.bound === true) throw new TarError('a long name or PAX block has no entry', start);
      this.#state = { at: this.#state.at === 'zero' ? 'done' : 'zero' };
      return;
    }
    if (this.#state.at === 'zero') throw new TarError('an entry follows the end mark', start);
    const fields = readHeader(block, from, start);
    switch (fields.type) {
      case 'K':
      case 'L':
      case 'x':
      case 'g':
        if (fields.size > META_LIMIT) throw new TarError('a long name or PAX block is over 1 MiB', start);
        this.#meta ??= { start, bound: false };
        this.#state = { at: 'meta', flag: fields.type, size: fields.size, data: this.#offset };
        if (fields.size === 0) this.#metaBody(fields.type, block, from, 0, this.#offset);
        return;
      case 'S':
        throw sparse(start);
      default:
        this.#entry(fields, start, events);
    }
  }

  #metaBody(flag: string, block: Buffer, from: number, size: number, data: number): void {
    const meta = this.#meta ?? { start: data - BLOCK, bound: false };
    this.#state = { at: 'header' };
    if (flag === 'L') this.#meta = { ...meta, longName: text(block, from, size), bound: true };
    else if (flag === 'K') this.#meta = { ...meta, longLink: text(block, from, size), bound: true };
    else {
      const pax = parsePax(block.toString('latin1', from, from + size), data);
      this.#meta = flag === 'x' ? { ...meta, pax, bound: true } : meta;
    }
  }

  #entry(fields: RawFields, header: number, events: TarEvent[]): void {
    const entry = resolve(fields, this.#meta, header);
    this.#meta = undefined;
    events.push({ type: 'entry', entry });
    if (entry.size === 0) this.#finish(entry, events);
    else this.#state = { at: 'body', entry };
  }

  #finish(entry: RawEntry, events: TarEvent[]): void {
    events.push({ type: 'entry-end', entry });
    this.#state = this.#offset === entry.end ? { at: 'header' } : { at: 'padding', end: entry.end };
  }
}

/** The header with the blocks before it: GNU names win over PAX names, as in Go's archive/tar. */
function resolve(fields: RawFields, meta: Meta | undefined, header: number): RawEntry {
  const pax = meta?.pax ?? NO_RECORDS;
  // An empty value stands for the header's own.
  const record = (key: string) => (pax.size === 0 ? undefined : pax.get(key) || undefined);
  const numeric = (key: string, own: number, what: string) => {
    const value = record(key);
    return value === undefined ? own : parsePaxNumber(value, what, header);
  };
  for (const key of pax.keys()) if (key.startsWith('GNU.sparse.')) throw sparse(header);
  const path = meta?.longName || record('path') || fields.path;
  const type = fields.v7 && path.endsWith('/') ? '5' : fields.type;
  const stated = numeric('size', fields.size, 'the size');
  const size = type >= '1' && type <= '6' ? 0 : stated;
  const data = header + BLOCK;
  const end = data + padded(size);
  if (!Number.isSafeInteger(end)) throw new TarError('the size is out of range', header);
  const mtime = record('mtime');
  return {
    path,
    linkname: meta?.longLink || record('linkpath') || fields.linkname,
    type,
    size,
    mode: fields.mode,
    uid: numeric('uid', fields.uid, 'the uid'),
    gid: numeric('gid', fields.gid, 'the gid'),
    mtimeNs: mtime === undefined ? BigInt(fields.mtime) * 1_000_000_000n : parsePaxTime(mtime, header),
    devMajor: fields.devMajor,
    devMinor: fields.devMinor,
    pax,
    start: meta?.start ?? header,
    header,
    data,
    end,
  };
}

function sparse(offset: number): TarError {
  return new TarError('it holds a sparse file, which the engine cannot load', offset);
}

/** Rounded up to whole blocks. */
export function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

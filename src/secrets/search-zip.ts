/** Searches the members of a zip archive as they come, by their local headers (APPNOTE.TXT 6.3.10, 4.3.7). */
import { ContentSink, type Place, type SearchContext, type Sink } from './search-content.js';
import { UnpackSink, unpackerFor } from './search-unpack.js';

const LOCAL_HEADER = 0x04034b50;
/** What may follow the members: the directory, its ends, and its predecessors. */
const AFTER_MEMBERS: readonly number[] = [0x02014b50, 0x06054b50, 0x06064b50, 0x08064b50];
const HEADER_BYTES = 30;
/** Of a data descriptor with its signature and ZIP64 sizes. */
const DESCRIPTOR_BYTES = 24;
const SIGNATURE_BYTES = 4;
const UNKNOWN_32 = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;

interface Header {
  readonly place: Place;
  readonly method: number;
  readonly encrypted: boolean;
  /** Bytes as they are in the archive; `undefined`: told after them only. */
  readonly size: number | undefined;
  /** What comes after its bytes. */
  readonly next: 'header' | 'descriptor';
  /** Bytes of the header itself. */
  readonly length: number;
}

type State =
  | { readonly at: 'header' }
  /** `sink` is absent where the member is only passed over. */
  | {
      readonly at: 'sized';
      readonly sink: Sink | undefined;
      readonly left: number;
      readonly next: 'header' | 'descriptor';
    }
  | { readonly at: 'unsized'; readonly sink: UnpackSink; given: number }
  | { readonly at: 'descriptor' }
  | { readonly at: 'done' };

export class ZipSink implements Sink {
  readonly #place: Place;
  readonly #context: SearchContext;
  #state: State = { at: 'header' };
  #rest: Buffer = Buffer.alloc(0);

  constructor(place: Place, context: SearchContext) {
    this.#place = place;
    this.#context = context;
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#state.at === 'done') return;
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (await this.#step());
    // The caller may use the chunk again.
    this.#rest = Buffer.from(this.#rest);
  }

  async end(): Promise<void> {
    const state = this.#state;
    if (state.at === 'done') return;
    this.#damaged('it is cut off');
    if (state.at === 'sized' || state.at === 'unsized') await state.sink?.end();
  }

  /** @returns whether there may be another */
  async #step(): Promise<boolean> {
    const state = this.#state;
    switch (state.at) {
      case 'header':
        return this.#header();
      case 'sized': {
        const part = this.#take(Math.min(state.left, this.#rest.length));
        const left = state.left - part.length;
        if (part.length > 0) await state.sink?.write(part);
        if (left === 0) await state.sink?.end();
        this.#state = left === 0 ? { at: state.next } : { ...state, left };
        return left === 0;
      }
      case 'unsized': {
        const part = this.#take(this.#rest.length);
        state.given += part.length;
        if (part.length > 0) await state.sink.write(part);
        if (!state.sink.over) return false;
        this.#rest = part.subarray(part.length - (state.given - state.sink.used));
        this.#state = { at: 'descriptor' };
        return true;
      }
      case 'descriptor':
        return this.#descriptor();
      case 'done':
        this.#rest = Buffer.alloc(0);
        return false;
    }
  }

  #header(): boolean {
    if (this.#rest.length < SIGNATURE_BYTES) return false;
    const signature = this.#rest.readUInt32LE(0);
    if (signature !== LOCAL_HEADER) {
      // Android puts signatures in between (APK Signature Scheme v2).
      if (!AFTER_MEMBERS.includes(signature)) this.#damaged('something else follows one of its members');
      return this.#done();
    }
    const header = readHeader(this.#rest, this.#place);
    if (header === undefined) return false;
    this.#take(header.length);
    this.#member(header);
    return true;
  }

  #member(header: Header): void {
    const { place, method, encrypted, size, next } = header;
    const { report } = this.#context;
    const sink = encrypted ? undefined : this.#sinkFor(header);
    if (encrypted) report.unsearched(place.within, 'encrypted', 'it is encrypted');
    else if (!sink) report.unsearched(place.within, 'unsupported', `it is compressed by method ${method}`);
    if (size !== undefined) this.#state = { at: 'sized', sink, left: size, next };
    else if (sink instanceof UnpackSink) this.#state = { at: 'unsized', sink, given: 0 };
    else {
      this.#damaged(`the size of ${place.within.at(-1) ?? ''} is not told before it`);
      this.#done();
    }
  }

  #sinkFor({ place, method, size }: Header): Sink | undefined {
    const content = new ContentSink(
      place,
      this.#context,
      size === undefined || method !== STORED ? {} : { size },
    );
    if (method === STORED) return content;
    const stream = method === DEFLATED ? unpackerFor('deflate') : undefined;
    return stream && new UnpackSink(stream, content, place, this.#context);
  }

  /** Its length depends on its writer: what comes next tells. */
  #descriptor(): boolean {
    if (this.#rest.length < DESCRIPTOR_BYTES + SIGNATURE_BYTES) return false;
    for (const length of [16, 12, DESCRIPTOR_BYTES, 20]) {
      const signature = this.#rest.readUInt32LE(length);
      if (signature !== LOCAL_HEADER && !AFTER_MEMBERS.includes(signature)) continue;
      this.#take(length);
      this.#state = { at: 'header' };
      return true;
    }
    this.#damaged('something else follows one of its members');
    return this.#done();
  }

  #damaged(problem: string): void {
    this.#context.report.unsearched(
      this.#place.within,
      'damaged',
      `its other members were not unpacked: ${problem}`,
    );
  }

  #done(): boolean {
    this.#state = { at: 'done' };
    return true;
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }
}

/** @returns `undefined` where `bytes` do not hold all of it */
function readHeader(bytes: Buffer, { within, depth }: Place): Header | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const flags = bytes.readUInt16LE(6);
  const nameEnd = HEADER_BYTES + bytes.readUInt16LE(26);
  const length = nameEnd + bytes.readUInt16LE(28);
  if (bytes.length < length) return undefined;
  const name = bytes.toString('utf8', HEADER_BYTES, nameEnd);
  const described = (flags & 8) !== 0;
  return {
    place: { within: [...within, name], depth },
    method: bytes.readUInt16LE(8),
    encrypted: (flags & 1) !== 0,
    size:
      described && !name.endsWith('/') ? sizeIfTold(bytes, nameEnd, length) : size(bytes, nameEnd, length),
    next: described ? 'descriptor' : 'header',
    length,
  };
}

function sizeIfTold(bytes: Buffer, extra: number, end: number): number | undefined {
  return size(bytes, extra, end) || undefined;
}

function size(bytes: Buffer, extra: number, end: number): number | undefined {
  const told = bytes.readUInt32LE(18);
  return told === UNKNOWN_32 ? size64(bytes, extra, end) : told;
}

/** The ZIP64 field has the size before compression first. */
function size64(bytes: Buffer, start: number, end: number): number | undefined {
  for (let at = start; at + 4 <= end; at += 4 + bytes.readUInt16LE(at + 2)) {
    const isZip64 = bytes.readUInt16LE(at) === 1 && bytes.readUInt16LE(at + 2) >= 16 && at + 20 <= end;
    if (isZip64) return Number(bytes.readBigUInt64LE(at + 12));
  }
  return undefined;
}

/** Archives for tests: random entries, whole-archive encoding and scanning, and GNU tar as a second opinion. */
import { execFileSync } from 'node:child_process';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import type { ContextEntry } from '../../src/tar/context.js';
import { encodeHeader, END_MARK, type HeaderOptions } from '../../src/tar/header.js';
import { padded, TarScanner, type RawEntry } from '../../src/tar/raw.js';

export interface Member {
  readonly entry: ContextEntry;
  readonly content: Buffer;
}

export const NEVER = new AbortController().signal;

/** A file of a test: give only what matters. */
export function member(entry: Partial<ContextEntry> & { readonly path: string }, content = ''): Member {
  const bytes = Buffer.from(content, 'latin1');
  return {
    entry: { type: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, size: bytes.length, ...entry },
    content: bytes,
  };
}

export function folder(path: string, more: Partial<ContextEntry> = {}): Member {
  return member({ path, type: 'directory', mode: 0o755, ...more });
}

export function encode(members: readonly Member[], options?: HeaderOptions): Buffer {
  const parts = members.flatMap(({ entry, content }) => [
    encodeHeader(entry, options),
    content,
    Buffer.alloc(padded(content.length) - content.length),
  ]);
  return Buffer.concat([...parts, END_MARK]);
}

export interface Scanned {
  readonly entry: RawEntry;
  readonly content: Buffer;
}

/** Feed an archive in pieces of the given lengths (repeated), and put the events together again. */
export function scan(archive: Buffer, lengths: readonly number[] = [archive.length || 1]): Scanned[] {
  const scanner = new TarScanner();
  const bodies = new Map<RawEntry, Buffer[]>();
  const ended: RawEntry[] = [];
  for (let at = 0, i = 0; at < archive.length; i++) {
    // A copy that is wiped afterwards: the scanner must not rely on a chunk it was given before.
    const length = lengths[i % lengths.length] ?? 1;
    const chunk = Buffer.from(archive.subarray(at, at + length));
    at += length;
    for (const event of scanner.feed(chunk)) {
      if (event.type === 'entry') bodies.set(event.entry, []);
      else if (event.type === 'body') bodies.get(event.entry)?.push(Buffer.from(event.bytes));
      else ended.push(event.entry);
    }
    chunk.fill(0xee);
  }
  scanner.end();
  return ended.map((entry) => ({ entry, content: Buffer.concat(bodies.get(entry) ?? []) }));
}

export function streamOf(archive: Buffer, length = 65_536): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < archive.length; at += length) yield archive.subarray(at, at + length);
    })(),
    { objectMode: false },
  );
}

export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export async function listAll<Entry>(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<Entry[]> {
  const all: Entry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

/** Run a program; its output as latin1. */
export function run(program: string, args: readonly string[], input?: Buffer): string {
  return execFileSync(program, args, {
    input,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
    env: { ...process.env, LC_ALL: 'C' },
  });
}

/** One path component: any bytes but NUL and `/`, as latin1. */
export const component = fc
  .oneof(
    { weight: 3, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 90, maxLength: 180 }) },
  )
  .map((bytes) =>
    Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x41 : byte))).toString('latin1'),
  )
  .filter((name) => name !== '.' && name !== '..');

export const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));

const common = fc.record({
  path,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.oneof(fc.nat(70_000), fc.constantFrom(0o7777777, 0o10000000, 0xffffffff)),
  gid: fc.oneof(fc.nat(70_000), fc.constantFrom(0o7777777, 0o10000000, 0xffffffff)),
  mtimeNs: fc.bigInt({ min: -(10n ** 19n), max: 2n * 10n ** 19n }),
});

const attributes = fc.option(
  fc
    .array(
      fc.tuple(
        component.filter((name) => !name.includes('=')),
        fc.uint8Array({ minLength: 1, maxLength: 40 }).map((value) => Buffer.from(value).toString('latin1')),
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((pairs) => new Map(pairs)),
  { nil: undefined },
);

/** Any entry that a context or an artifact can hold. */
export const anyMember: fc.Arbitrary<Member> = fc
  .tuple(common, attributes, fc.uint8Array({ maxLength: 1500 }), path, fc.nat(4095), fc.nat(1_048_575))
  .chain(([base, xattrs, bytes, target, devMajor, devMinor]) => {
    const shared = { ...base, size: 0, ...(xattrs && { xattrs }) };
    const none = Buffer.alloc(0);
    const content = Buffer.from(bytes);
    return fc.constantFrom<Member>(
      { entry: { ...shared, type: 'file', size: content.length }, content },
      { entry: { ...shared, type: 'directory' }, content: none },
      { entry: { ...shared, type: 'symlink', linkname: target }, content: none },
      { entry: { ...shared, type: 'hardlink', linkname: target }, content: none },
      { entry: { ...shared, type: 'character', devMajor, devMinor }, content: none },
      { entry: { ...shared, type: 'block', devMajor, devMinor }, content: none },
      { entry: { ...shared, type: 'fifo' }, content: none },
    );
  });

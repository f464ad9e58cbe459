/** How an archive goes to disk: in large pieces, whatever the size of its chunks, and none of its bytes lost or out of place. */
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PieceSink } from '../../src/image/piece-sink.js';
import { SpoolFile } from '../../src/image/spool-file.js';
import { WriteBehind } from '../../src/image/write-behind.js';

const MIB = 1 << 20;

/** Bytes that tell their place, and which of several buffers they are of. */
function numbered(length: number, first: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 4096)
    bytes.writeUInt32LE(first + at, Math.min(at, Math.max(0, length - 4)));
  return bytes;
}

describe('a spool', () => {
  const operation = fc.oneof(
    { weight: 5, arbitrary: fc.record({ append: fc.integer({ min: 4, max: 3 * MIB }) }) },
    { weight: 1, arbitrary: fc.record({ back: fc.double({ min: 0, max: 1, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.constant({ flush: true }) },
  );

  test('holds what was appended and not given up, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
        await using spool = await SpoolFile.open();
        let expected = Buffer.alloc(0);
        for (const [index, each] of operations.entries()) {
          if ('append' in each) {
            const bytes = numbered(each.append, index << 24);
            expected = Buffer.concat([expected, bytes]);
            await spool.append(bytes);
            // It was copied: who appends may use the buffer again.
            bytes.fill(0xff);
          } else if ('back' in each) {
            expected = expected.subarray(0, Math.floor(expected.length * each.back));
            await spool.rewind(expected.length);
          } else await spool.flush();
          expect(spool.position).toBe(expected.length);
        }
        await spool.trim();
        const found = Buffer.alloc(expected.length);
        await spool.read(found, 0);
        expect(found.equals(expected)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('begins what is aligned at a whole block', async () => {
    await using spool = await SpoolFile.open();
    expect(await spool.align()).toBe(0);
    await spool.append(Buffer.from('x'));
    expect(await spool.align()).toBe(512);
    expect(await spool.align()).toBe(512);
  });

  test('tells of a failed write, at the latest when it is flushed, and again', async () => {
    await using file = await open('/dev/full', 'r+');
    const writer = new WriteBehind(file);
    await writer.append(Buffer.alloc(100));
    await expect(writer.flush()).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(writer.flush()).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(writer.append(Buffer.alloc(20 * MIB))).rejects.toMatchObject({ code: 'ENOSPC' });
    await writer.settle();
  });
});

describe('a stream in pieces', () => {
  test('has the same bytes, and none but its last piece is small', async () => {
    const sizes = fc.array(fc.integer({ min: 4, max: MIB }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sizes, async (lengths) => {
        const chunks = lengths.map((length, index) => numbered(length, index << 24));
        const pieces: Buffer[] = [];
        let ended = 0;
        const sink = new PieceSink({
          write: async (piece) => {
            await Promise.resolve();
            pieces.push(Buffer.from(piece));
          },
          end: () => {
            ended += 1;
            return Promise.resolve();
          },
        });
        await pipeline(Readable.from(chunks), sink);
        expect(Buffer.concat(pieces).equals(Buffer.concat(chunks))).toBe(true);
        expect(pieces.slice(0, -1).every(({ length }) => length === MIB / 4)).toBe(true);
        expect(ended).toBe(1);
      }),
      { numRuns: 30 },
    );
  });

  test('ends with the error of who uses it, and reads no further', async () => {
    const refused = new Error('refused');
    const sink = new PieceSink({ write: () => Promise.reject(refused), end: () => Promise.resolve() });
    let read = 0;
    const endless = new Readable({
      read() {
        read += 1;
        this.push(Buffer.alloc(1 << 16));
      },
    });
    await expect(pipeline(endless, sink)).rejects.toBe(refused);
    expect(endless.destroyed).toBe(true);
    expect(read).toBeLessThan(100);
  });
});

/** Files hashed on a thread have the digests that they have without one, however they come. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { Readable } from 'node:stream';
import { HashThread } from '../../src/image/hash-thread.js';
import { spoolImageArchive } from '../../src/image/spool.js';
import { archive, diffIds } from '../support/image-archives.js';
import { tar } from '../support/image-tar.js';

function thread(): HashThread {
  const made = new HashThread();
  onTestFinished(() => {
    made[Symbol.dispose]();
  });
  return made;
}

test('files that come one after the other, in pieces of any size', async () => {
  const hashes = thread();
  const piece = fc.record({ length: fc.integer({ min: 0, max: 1_300_000 }), fill: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(piece, { maxLength: 6 }), { minLength: 1, maxLength: 3 }),
      async (files) => {
        for (const pieces of files) {
          const expected = createHash('sha256');
          for (const { length, fill } of pieces) {
            const bytes = Buffer.alloc(length, fill);
            expected.update(bytes);
            await hashes.update(bytes);
            // It is the caller's again.
            bytes.fill(fill + 1);
          }
          expect(await hashes.digest()).toBe(expected.digest('hex'));
        }
      },
    ),
    { numRuns: 40 },
  );
});

test.each([0, 1 << 19, 3 << 19, 4 << 19])('a file of %i bytes, which fills its pieces', async (length) => {
  const hashes = thread();
  const bytes = Buffer.alloc(length, 'x');
  await hashes.update(bytes);
  expect(await hashes.digest()).toBe(createHash('sha256').update(bytes).digest('hex'));
});

test('a thread that has ended is an error for who waits for it, and for who comes later', async () => {
  const hashes = thread();
  await hashes.update(Buffer.alloc(10));
  const digest = hashes.digest();
  hashes[Symbol.dispose]();
  await expect(digest).rejects.toThrow('The thread has ended');
  await expect(hashes.digest()).rejects.toThrow('The thread has ended');
});

test('a layer that is large enough for it is known by its digest, and a changed byte is found', async () => {
  const body = Buffer.alloc(20 << 20, 'large');
  const image = { layers: [tar([]), tar([{ name: 'large', type: '0', body }])] };
  const expected = { diffIds: diffIds(image), baseLayers: 1 };
  const bytes = archive(image, 'docker20');
  const { signal } = new AbortController();
  await using spooled = await spoolImageArchive(Readable.from([bytes]), expected, signal);
  expect(spooled.layers.map(({ diffId }) => diffId)).toEqual(expected.diffIds);
  bytes[bytes.lastIndexOf('large') - 1000] = 0;
  await expect(spoolImageArchive(Readable.from([bytes]), expected, signal)).rejects.toThrow(
    /^Layer 2 of 2 \(sha256:[0-9a-f]{12}\) has other content than its digest says: sha256:[0-9a-f]{64}$/,
  );
});

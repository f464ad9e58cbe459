/** What is collected to be sent: all of it, once, in bounded memory, whoever writes at the same time. */
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Outbox } from '../../src/engine/outbox.js';

/** Keeps what is sent; each piece leaves a moment later. */
function collecting() {
  const sent: Buffer[] = [];
  let leaving = 0;
  let most = 0;
  const outbox = new Outbox(async (bytes) => {
    most = Math.max(most, ++leaving);
    await turn();
    sent.push(Buffer.from(bytes));
    leaving -= 1;
  });
  return { outbox, bytes: () => Buffer.concat(sent), most: () => most };
}

it('nothing is written over by who writes at the same time, and each one keeps its order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.integer({ min: 1, max: 60_000 }), { maxLength: 30 }), {
        minLength: 2,
        maxLength: 4,
      }),
      async (writers) => {
        const { outbox, bytes, most } = collecting();
        await Promise.all(
          writers.map(async (lengths, writer) => {
            for (const [number, length] of lengths.entries()) {
              await outbox.put(length + 4, (target) => {
                target.writeUInt8(writer, 0);
                target.writeUIntBE(length, 1, 3);
                target.fill(number + 1, 4, 4 + length);
                return 4 + length;
              });
            }
          }),
        );
        await outbox.finish();
        const found: number[][] = writers.map(() => []);
        const all = bytes();
        for (let at = 0; at < all.length;) {
          const [writer, length] = [all.readUInt8(at), all.readUIntBE(at + 1, 3)];
          const content = all.subarray(at + 4, at + 4 + length);
          expect(content.every((byte) => byte === content[0])).toBe(true);
          expect(content[0]).toBe((found[writer]?.length ?? 0) + 1);
          found[writer]?.push(length);
          at += 4 + length;
        }
        expect(found).toEqual(writers);
        expect(most()).toBeLessThanOrEqual(4);
      },
    ),
    { numRuns: 40 },
  );
});

it('who waits for memory hears that nothing can be sent', async () => {
  const outbox = new Outbox(() => Promise.reject(new Error('the other side is gone')));
  const write = async (): Promise<void> => {
    for (;;) await outbox.put(outbox.size, (target) => target.length);
  };
  await expect(write()).rejects.toThrow('the other side is gone');
  await expect(outbox.finish()).rejects.toThrow('the other side is gone');
});

it('what has room in no buffer is refused', async () => {
  const { outbox } = collecting();
  await expect(outbox.put(outbox.size + 1, () => 0)).rejects.toThrow('262145 bytes are more than 262144');
});

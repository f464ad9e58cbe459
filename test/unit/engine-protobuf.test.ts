import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldsOf, MessageWriter, varintLength, writeVarint } from '../../src/engine/protobuf.js';
import { decodeTrace } from '../../src/engine/wire.js';

const fields = (bytes: Buffer) => Array.from(fieldsOf(bytes), ({ number, value }) => [number, value]);

describe('Protocol Buffers', () => {
  // The first two are the examples of https://protobuf.dev/programming-guides/encoding/.
  it('are written as others write them', () => {
    const writer = new MessageWriter();
    expect(writer.clear().number(1, 150).bytes.toString('hex')).toBe('089601');
    expect(writer.clear().data(2, 'testing').bytes.toString('hex')).toBe('120774657374696e67');
    expect(writer.clear().int64(1, -2n).bytes.toString('hex')).toBe('08feffffffffffffffff01');
    expect(writer.clear().number(1, 0).int64(2, 0n).data(3, '').bytes.toString('hex')).toBe('1a00');
    expect(
      writer
        .clear()
        .number(16, 2 ** 31)
        .bytes.toString('hex'),
    ).toBe('8001' + '8080808008');
  });

  it('are read as they were written', () => {
    const field = fc.tuple(
      fc.integer({ min: 1, max: 5000 }),
      fc.oneof(
        fc.nat({ max: Number.MAX_SAFE_INTEGER - 1 }).map((value) => value + 1),
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      ),
    );
    fc.assert(
      fc.property(fc.array(field), (given) => {
        const writer = new MessageWriter();
        for (const [number, value] of given) {
          if (typeof value === 'number') writer.number(number, value);
          else writer.data(number, value);
        }
        expect(fields(writer.bytes)).toEqual(given);
      }),
    );
  });

  it('have numbers as long as was said', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (value) => {
        expect(writeVarint(Buffer.alloc(10), 0, value)).toBe(varintLength(value));
      }),
    );
  });

  it('have numbers of 64 bits, each seven bits at a time', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        fc.pre(value !== 0n);
        const [, ...septets] = new MessageWriter().int64(1, value).bytes;
        const read = septets.reduceRight((all, byte) => (all << 7n) | BigInt(byte & 0x7f), 0n);
        expect(BigInt.asIntN(64, read)).toBe(value);
        expect(septets.map((byte) => byte > 0x7f)).toEqual(septets.map((_, i) => i < septets.length - 1));
        expect(septets.length === 1 || septets.at(-1) !== 0, 'no longer than need be').toBe(true);
      }),
    );
  });

  it('are refused where they are cut off, and unknown fields passed over', () => {
    expect(fields(Buffer.from('09' + '0102030405060708' + '0d' + '01020304' + '1001', 'hex'))).toEqual([
      [2, 1],
    ]);
    for (const [bytes, message] of [
      ['0896', 'a message is cut off'],
      ['120774', 'a message is cut off'],
      ['08' + 'ff'.repeat(10), 'a number without an end'],
      ['0b', 'a field of unknown wire type 3'],
    ] as const) {
      expect(() => fields(Buffer.from(bytes, 'hex'))).toThrow(message);
    }
  });

  it('tell the progress of a build', () => {
    const part = () => new MessageWriter();
    const time = part().number(1, 1_700_000_000).number(2, 500).bytes;
    const vertex = part().data(1, 'sha256:a').data(3, Buffer.from('RUN é')).number(4, 1).data(5, time).bytes;
    const log = part().data(1, 'sha256:a').number(3, 2).data(4, 'line\n').bytes;
    const warning = part().data(1, 'sha256:a').data(3, 'mind').bytes;
    const trace = part().data(1, vertex).data(3, log).data(4, warning).bytes;
    expect(decodeTrace(trace.toString('base64'))).toEqual({
      vertexes: [
        {
          digest: 'sha256:a',
          name: 'RUN é',
          cached: true,
          started: { seconds: 1_700_000_000, nanos: 500 },
          completed: undefined,
          error: '',
        },
      ],
      logs: [{ vertex: 'sha256:a', stream: 2, msg: Buffer.from('line\n') }],
      warnings: ['mind'],
    });
  });
});

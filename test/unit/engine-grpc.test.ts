/** Our gRPC server, as the reference implementation sees it, and as plain HTTP/2 where that one reads ahead. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Call } from '../../src/engine/grpc-call.js';
import { Deframer, frame } from '../../src/engine/grpc-frames.js';
import { unary, type Handler } from '../../src/engine/grpc-server.js';
import { GrpcError, STATUS } from '../../src/engine/grpc-status.js';
import { grpcScene, outcomeOf } from '../support/grpc.js';

const PATH = '/test.Service/Method';
const served = (handler: Handler) => grpcScene(new Map([[PATH, handler]]));

describe('the messages of a call', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 })),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (messages, lengths) => {
          const stream = Buffer.concat(messages.map((message) => frame(Buffer.from(message))));
          const deframer = new Deframer();
          const found: Buffer[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const length = lengths[i % lengths.length] ?? 1;
            for (const message of deframer.feed(stream.subarray(at, at + length))) found.push(message);
            at += length;
          }
          deframer.end();
          expect(found.map((message) => [...message])).toEqual(messages.map((message) => [...message]));
        },
      ),
    );
  });

  it('are refused when they are compressed, too large or cut off', () => {
    expect(() => [...new Deframer().feed(Buffer.from([1, 0, 0, 0, 0]))]).toThrow(
      'compressed messages are not understood here',
    );
    expect(() => [...new Deframer().feed(Buffer.from([0, 0x40, 0, 0, 0]))]).toThrow(
      'a message of 1073741824 bytes is too large',
    );
    const deframer = new Deframer();
    expect([...deframer.feed(frame(Buffer.from('abc')).subarray(0, 6))]).toEqual([]);
    expect(() => {
      deframer.end();
    }).toThrow('a message is cut off');
  });
});

it('what is no gRPC is told to who serves before the other side hears of it', async () => {
  const told: string[] = [];
  await using scene = await grpcScene(new Map([[PATH, unary((request) => request)]]), () => told.push('us'));
  const client = connect(`http://127.0.0.1:${scene.port}`);
  const stream = client.request({ ':method': 'POST', ':path': PATH, te: 'trailers' });
  stream.on('response', (headers) => told.push(String(headers['grpc-message'])));
  stream.end(Buffer.from([1, 0, 0, 0, 0]));
  await once(stream.resume(), 'close');
  client.close();
  expect(told).toEqual(['us', 'compressed messages are not understood here']);
});

describe('a gRPC call', () => {
  it('of one message is answered with one', async () => {
    await using scene = await served(unary((request) => Buffer.from(request.toString().toUpperCase())));
    const call = scene.open(PATH);
    call.end(Buffer.from('hello'));
    expect(await outcomeOf(call)).toEqual({ messages: [Buffer.from('HELLO')], code: status.OK, details: '' });
  });

  it('has its headers as they were sent, repeated ones apart', async () => {
    let found: readonly string[] = [];
    await using scene = await served((call) => {
      found = call.header('paths');
      return Promise.resolve();
    });
    const call = scene.open(PATH, { paths: ['a, b', 'c'] });
    call.end();
    expect((await outcomeOf(call)).code).toBe(status.OK);
    expect(found).toEqual(['a, b', 'c']);
  });

  it('ends with the status that its handler throws, before and after messages, in any language', async () => {
    const failure = new GrpcError(STATUS.notFound, 'kein „100 %“\n');
    await using scene = await grpcScene(
      new Map<string, Handler>([
        ['/a.B/Early', () => Promise.reject(failure)],
        [
          '/a.B/Late',
          async (call) => {
            await call.send(Buffer.from('x'));
            throw failure;
          },
        ],
        ['/a.B/Bug', () => Promise.reject(new Error('oh'))],
      ]),
    );
    const open = (path: string) => {
      const call = scene.open(path);
      call.end();
      return outcomeOf(call);
    };
    const code = status.NOT_FOUND;
    expect(await open('/a.B/Early')).toEqual({ messages: [], code, details: failure.message });
    expect(await open('/a.B/Late')).toEqual({ messages: [Buffer.from('x')], code, details: failure.message });
    expect(await open('/a.B/Bug')).toEqual({ messages: [], code: status.UNKNOWN, details: 'oh' });
    expect(await open('/a.B/C')).toEqual({
      messages: [],
      code: status.UNIMPLEMENTED,
      details: '/a.B/C is not offered here',
    });
  });

  it('can be answered before the other side has said all', async () => {
    await using scene = await served(async (call) => {
      for await (const message of call.messages()) {
        await call.send(message);
        return;
      }
    });
    const call = scene.open(PATH);
    call.write(Buffer.from('first'));
    expect(await outcomeOf(call)).toMatchObject({ messages: [Buffer.from('first')], code: status.OK });
  });

  it('is over for its handler when the other side cancels it, or when the server is closed', async () => {
    const calls: Call[] = [];
    const endings: Promise<unknown>[] = [];
    await using scene = await served(async (call) => {
      calls.push(call);
      await call.send(Buffer.from('begun'));
      const ending = (async () => {
        for await (const message of call.messages()) expect.fail(`unexpected ${message.toString()}`);
      })();
      endings.push(ending.catch((error: unknown) => error));
      await ending;
    });
    const [cancelled, cut] = [scene.open(PATH), scene.open(PATH)];
    for (const call of [cancelled, cut]) {
      call.on('error', () => undefined);
      await once(call, 'data');
    }
    cancelled.cancel();
    expect(await endings[0]).toBeInstanceOf(Error);
    await expect.poll(() => calls.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    scene.hangUp();
    expect(await endings[1]).toBeInstanceOf(Error);
    await expect.poll(() => calls.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  it('sends no faster than the other side takes, and memory is free only then', async () => {
    let sent = 0;
    const piece = frame(Buffer.alloc(1 << 16));
    const total = 64;
    await using scene = await served(async (call) => {
      for (; sent < total; sent++) await call.sendFramed(piece);
    });
    const client = connect(`http://127.0.0.1:${scene.port}`);
    const call = client.request({ ':method': 'POST', ':path': PATH }, { endStream: true });
    await once(call, 'response');
    // Nobody reads: it gets stuck after a window of HTTP/2.
    let before = -1;
    await expect
      .poll(
        () => {
          const stuck = sent === before;
          before = sent;
          return stuck;
        },
        { interval: 100 },
      )
      .toBe(true);
    expect(sent).toBeLessThan(4);
    let received = 0;
    call.on('data', (chunk: Buffer) => (received += chunk.length));
    const [trailers] = (await once(call, 'trailers')) as [Record<string, string>];
    expect(trailers).toMatchObject({ 'grpc-status': '0' });
    expect([sent, received]).toEqual([total, total * piece.length]);
    client.destroy();
  });

  it('fails what waits to be sent when the other side is gone', async () => {
    const endings: Promise<unknown>[] = [];
    const large = Buffer.alloc(1 << 22);
    await using scene = await served(async (call) => {
      for (const each of [large, large]) endings.push(call.send(each).catch((error: unknown) => error));
      await Promise.all(endings);
    });
    const call = scene.open(PATH);
    call.on('error', () => undefined);
    await once(call, 'metadata');
    call.cancel();
    expect((await Promise.all(endings)).at(-1)).toBeInstanceOf(Error);
  });
});

/** What becomes of calls when an engine is silent, breaks off, or talks nonsense: with an engine of the test. */
import { describe, expect, test } from 'vitest';
import { EngineError } from '../../src/core/errors.js';
import type { RemovedFiles } from '../../src/core/ports.js';
import { forgetBuildCache } from '../../src/engine/build-cache.js';
import { connect } from '../../src/engine/connect.js';
import type { Patience } from '../../src/engine/patience.js';
import { Transport } from '../../src/engine/transport.js';
import { Gate } from '../support/gate.js';
import { httpEngine, type Handler } from '../support/http-engine.js';
import { NEVER } from '../support/tar.js';

const PATIENCE: Patience = { connect: 1000, answer: 300, ping: 20, silence: 500, retries: [1, 1] };

/** An engine that does this; pings are answered where it does not say otherwise. */
async function engine(handler: Handler, onPing: Handler = (_, answer) => answer.end('OK')) {
  const calls: string[] = [];
  const notices: string[] = [];
  const { address } = await httpEngine((request, answer) => {
    if (request.url?.endsWith('/_ping?') === true) {
      onPing(request, answer);
      return;
    }
    calls.push(`${request.method ?? ''} ${request.url ?? ''}`);
    handler(request, answer);
  });
  const transport = new Transport(address, {
    patience: PATIENCE,
    onNotice: (message) => notices.push(message),
  });
  return { transport, calls, notices, url: address.url };
}

async function failure(work: Promise<unknown>): Promise<EngineError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error;
  throw new Error(`no EngineError: ${String(error)}`);
}

const breakOff: Handler = (_, answer) => answer.socket?.destroy();
const LOOK = { method: 'GET', path: '/x', purpose: 'look' } as const;
const WORK = { method: 'POST', path: '/x', purpose: 'work' } as const;

describe('a connection that breaks', () => {
  test('is tried again where the call may be repeated, and that is told', async () => {
    let left = 2;
    const { transport, calls, notices, url } = await engine((request, answer) => {
      if (left-- > 0) breakOff(request, answer);
      else answer.end('{"a":1}');
    });
    expect(await transport.json(LOOK)).toEqual({ a: 1 });
    expect(calls).toHaveLength(3);
    const told = `The engine could not look: the connection to ${url} broke: trying again`;
    expect(notices).toEqual([told, told]);
  });

  test('is tried three times, and no more', async () => {
    const { transport, calls, url } = await engine(breakOff);
    for (const call of [LOOK, { ...LOOK, method: 'DELETE' }, { ...WORK, pace: 'quick' }] as const) {
      const error = await failure(transport.json(call));
      expect(error.message).toBe(
        `The engine could not ${call.purpose}: the connection to ${url} broke, after 3 tries`,
      );
      expect(error.hint).toBe('Did the engine stop or restart? Look at its log, then run this again.');
    }
    expect(calls).toHaveLength(9);
  });

  test('in the middle of an answer is one too', async () => {
    let left = 1;
    const { transport } = await engine((request, answer) => {
      const isBroken = left-- > 0;
      answer.writeHead(200, { 'Content-Length': 7 }).write('{"a"', () => {
        if (isBroken) answer.socket?.destroy();
        else answer.end(':1}');
      });
    });
    expect(await transport.json(LOOK)).toEqual({ a: 1 });
  });

  test('ends what may not be done twice', async () => {
    const { transport, calls, notices, url } = await engine(breakOff);
    const error = await failure(transport.json(WORK));
    expect(error.message).toBe(`The engine could not work: the connection to ${url} broke`);
    expect([calls.length, notices]).toEqual([1, []]);
  });

  test('is not tried again once the caller has given up', async () => {
    const stop = new AbortController();
    const { transport, calls } = await engine((request, answer) => {
      stop.abort(new Error('enough'));
      breakOff(request, answer);
    });
    await expect(transport.json({ ...LOOK, signal: stop.signal })).rejects.toThrow('enough');
    expect(calls).toHaveLength(1);
  });
});

describe('calls that follow each other', () => {
  /** Which connection each call came over, numbered from 0. */
  async function seen(onCall: Handler = (_, answer) => answer.end('{}')) {
    const connections: unknown[] = [];
    const order: number[] = [];
    const { transport } = await engine((request, answer) => {
      if (!connections.includes(request.socket)) connections.push(request.socket);
      order.push(connections.indexOf(request.socket));
      onCall(request, answer);
    });
    return { transport, order };
  }

  test('share a connection, where each may be repeated', async () => {
    const { transport, order } = await seen();
    for (const call of [LOOK, { ...LOOK, method: 'DELETE' }, { ...WORK, pace: 'quick' }] as const) {
      await transport.json(call);
    }
    expect(order).toEqual([0, 0, 0]);
  });

  test('have one each, where one may be sent but once', async () => {
    const { transport, order } = await seen();
    await transport.json(LOOK);
    await transport.json(WORK);
    await transport.json(WORK);
    await transport.json(LOOK);
    expect(order).toEqual([0, 1, 2, 0]);
  });

  test('do not wait for each other', async () => {
    const both = new Gate();
    let open = 0;
    const { transport, order } = await seen((_, answer) => {
      if (++open === 2) both.open();
      void both.pass().then(() => answer.end('{}'));
    });
    await Promise.all([transport.json(LOOK), transport.json(LOOK)]);
    expect(order).toEqual([0, 1]);
  });

  test('have a new one after a refusal that has no end', async () => {
    let isRefused = true;
    const { transport, order } = await seen((_, answer) => {
      if (isRefused) answer.writeHead(500).write('x'.repeat(100_000));
      else answer.end('{}');
    });
    await failure(transport.json(LOOK));
    isRefused = false;
    expect(await transport.json(LOOK)).toEqual({});
    expect(order).toEqual([0, 1]);
  });

  test('are answered where the engine closes the connection between them, and nothing is told', async () => {
    let left = 1;
    const { transport, calls, notices } = await engine((request, answer) => {
      const isClosing = left-- === 0;
      if (isClosing) breakOff(request, answer);
      else answer.end('{}');
    });
    expect(await transport.json(LOOK)).toEqual({});
    expect(await transport.json(LOOK)).toEqual({});
    expect([calls.length, notices]).toEqual([3, []]);
  });

  test('are told of where a new connection breaks, too', async () => {
    let isUp = true;
    const { transport, calls, notices } = await engine((request, answer) => {
      if (isUp) answer.end('{}');
      else breakOff(request, answer);
    });
    await transport.json(LOOK);
    isUp = false;
    expect((await failure(transport.json(LOOK))).message).toMatch(/ broke, after 3 tries$/);
    // One over the connection that was left, and each try over its own.
    expect([calls.length, notices.length]).toEqual([5, 2]);
  });

  test('leave nothing open once the transport is closed', async () => {
    const ended = new Gate();
    const { transport } = await engine((request, answer) => {
      request.socket.once('close', () => {
        ended.open();
      });
      answer.end('{}');
    });
    await transport.json(LOOK);
    transport.close();
    await ended.pass();
  });
});

describe('an engine that is silent', () => {
  test('in a call that takes no time: the call says which and how long', async () => {
    const { transport, calls, url } = await engine(() => undefined);
    const error = await failure(transport.json(LOOK));
    expect(error.message).toBe(`The engine could not look: ${url} did not answer within 0.3 s`);
    expect(calls).toHaveLength(1);
  });

  test('in the middle of such an answer is as silent', async () => {
    const { transport } = await engine((_, answer) => answer.write('{'));
    expect((await failure(transport.json(LOOK))).message).toMatch(/did not answer within 0\.3 s$/);
  });

  test('while it works is left alone as long as it answers pings', async () => {
    const pings = new Gate();
    let count = 0;
    const { transport } = await engine(
      (_, answer) => {
        void pings.pass().then(() => answer.end('{}'));
      },
      (_, answer) => {
        answer.end('OK');
        // Longer than silence would be borne.
        if (++count === 40) pings.open();
      },
    );
    expect(await transport.json(WORK)).toEqual({});
  });

  test('and answers no pings is given up with all that is in flight, and asked again before the next call', async () => {
    let isUp = false;
    const { transport, url } = await engine(
      (_, answer) => {
        if (isUp) answer.end('{}');
        else answer.write(' ');
      },
      (_, answer) => {
        if (isUp) answer.end('OK');
      },
    );
    const stream = await transport.stream(WORK);
    const reading = stream.toArray();
    const message = `The engine at ${url} has not answered for 0.5 s`;
    const errors = await Promise.all([failure(transport.json(WORK)), failure(reading)]);
    expect(errors.map((error) => error.message)).toEqual([message, message]);

    const begun = performance.now();
    expect((await failure(transport.json(WORK))).message).toBe(message);
    expect(performance.now() - begun).toBeLessThan(PATIENCE.silence);
    isUp = true;
    expect(await transport.json(WORK)).toEqual({});
  });
});

describe('an answer that is none', () => {
  const body =
    (text: string, status = 200): Handler =>
    (_, answer) => {
      answer.writeHead(status).end(text);
    };

  test.each([
    ['{"a":', 'its answer is not JSON'],
    ['\u0000\u0001', 'its answer is not JSON'],
  ])('%j is told', async (text, why) => {
    const { transport } = await engine(body(text));
    expect((await failure(transport.json(LOOK))).message).toBe(`The engine could not look: ${why}`);
  });

  test('a refusal that never ends is not read to its end', async () => {
    const { transport } = await engine((_, answer) => {
      answer.writeHead(500);
      const more = (): void => {
        while (!answer.destroyed && answer.write('\u001b[2Jx'.repeat(2000)));
        if (!answer.destroyed) answer.once('drain', more);
      };
      more();
    });
    const error = await failure(transport.json(LOOK));
    expect(error.status).toBe(500);
    expect(error.message).toMatch(/^The engine could not look: \[2Jx \[2Jx .{400,600}…$/);
  });

  test('where HTTP is not spoken is told', async () => {
    const { transport } = await engine((_, answer) => answer.socket?.end('SSH-2.0-x\r\n'));
    expect((await failure(transport.json(LOOK))).message).toMatch(
      /: what answers there does not speak HTTP$/,
    );
  });

  test('a full disk is told with what to do', async () => {
    const { transport } = await engine(body('{"message":"mkdir /x: no space left on device"}', 500));
    expect((await failure(transport.json(LOOK))).hint).toBe(
      'Free space where the engine keeps its data: see `docker system df` and `docker system prune`.',
    );
  });

  test('of something that is no Docker Engine is told by the first call', async () => {
    const { url } = await engine(body('{}'));
    const error = await failure(connect({ host: url, env: {}, patience: PATIENCE }, NEVER));
    expect(error.message).toBe(
      'The engine could not describe itself: its answer is not that of a Docker Engine',
    );
  });
});

test('what was used since a moment is judged by the clock of the engine', async () => {
  const AHEAD_MS = 3_600_000;
  const at = (ms: number): string => new Date(Date.now() + AHEAD_MS + ms).toISOString();
  const sent = 'local source for context';
  const pruned: string[] = [];
  const BuildCache = [
    { ID: 'before', Description: sent, LastUsedAt: at(-60_000) },
    { ID: 'since', Description: sent, LastUsedAt: at(-10_000) },
  ];
  const { transport } = await engine((request, answer) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
    switch (pathname) {
      case '/info':
        answer.end(JSON.stringify({ SystemTime: at(0) }));
        return;
      case '/system/df':
        answer.end(JSON.stringify({ BuildCache }));
        return;
      default:
        pruned.push(searchParams.get('filters') ?? '');
        answer.end('{}');
    }
  });
  await forgetBuildCache(transport, removedFiles(), NEVER);
  expect(pruned).toEqual(['{"id":{"^(since)$":true}}']);
});

test.each([
  [404, 'content digest sha256:1: not found'],
  [500, 'failed to retrieve image list: layer sha256:1 was not found (corruption?)'],
])('a list that fails with %i while layers come and go is asked for again', async (status, message) => {
  let lists = 0;
  const { transport } = await engine((request, answer) => {
    switch (new URL(request.url ?? '', 'http://x').pathname) {
      case '/info':
        answer.end(JSON.stringify({ SystemTime: new Date().toISOString() }));
        return;
      default:
        lists += 1;
        if (lists === 1) answer.writeHead(status).end(JSON.stringify({ message }));
        else answer.end(JSON.stringify({ BuildCache: [] }));
    }
  });
  expect(await forgetBuildCache(transport, removedFiles(), NEVER)).toEqual({ removed: 0, kept: 0 });
  expect(lists).toBe(2);
});

function removedFiles(): RemovedFiles {
  return {
    instructions: ['RUN make'],
    dockerfile: Buffer.from('FROM busybox\nRUN make\n'),
    options: { buildArgs: {} },
    since: Date.now() - 30_000,
  };
}

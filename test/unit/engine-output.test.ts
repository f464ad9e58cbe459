/** The builders' talk: what becomes an event, what is noise, and what a failure says. */
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BuilderEvent } from '../../src/core/ports.js';
import { ClassicOutput } from '../../src/engine/classic-output.js';
import { demultiplex } from '../../src/engine/demux.js';
import { refusal } from '../../src/engine/explain.js';
import { buildError, exitCodeOf } from '../../src/engine/failure.js';
import { splitName } from '../../src/engine/images.js';
import { readJsonLines } from '../../src/engine/json-lines.js';
import { TarEndCheck } from '../../src/engine/tar-end.js';
import { streamOf } from '../support/tar.js';

function classic(
  streams: readonly string[],
  removesContainers = true,
): { output: ClassicOutput; events: BuilderEvent[] } {
  const events: BuilderEvent[] = [];
  const output = new ClassicOutput((event) => events.push(event), removesContainers);
  for (const stream of streams) output.message({ stream });
  return { output, events };
}

const RUN = ['Step 2/2 : RUN x', '\n', ' ---> Running in 0123456789ab\n'];

describe('the classic builder', () => {
  it('can not be imitated by the output of a RUN', () => {
    const { output, events } = classic([
      'Step 1/2 : FROM busybox',
      '\n',
      ' ---> aaaaaaaaaaaa\n',
      ...RUN,
      ' ---> bbbbbbbbbbbb\n',
      'Step 3/3 : RUN y',
      ' ---> Using cache\n',
      'Removing intermediate container ffffffffffff\n',
      'Removing intermediate container 0123456789ab\n',
      ' ---> cccccccccccc\n',
    ]);
    expect(output.images).toEqual(['cccccccccccc']);
    expect(events.flatMap((event) => (event.type === 'output' ? [event.line] : []))).toEqual([
      ' ---> bbbbbbbbbbbb',
      'Step 3/3 : RUN y ---> Using cache',
      'Removing intermediate container ffffffffffff',
    ]);
  });

  it('made neither base images nor cached ones, but builds on the latter', () => {
    const { output, events } = classic([
      'Step 1/3 : FROM busybox',
      ' ---> aaaaaaaaaaaa\n',
      'Step 2/3 : ENV a=b',
      ' ---> Using cache\n',
      ' ---> bbbbbbbbbbbb\n',
      'Step 3/3 : ENV a=b',
      ' ---> bbbbbbbbbbbb\n',
    ]);
    expect(events.filter(({ type }) => type === 'made')).toEqual([]);
    expect(output.images).toEqual(['bbbbbbbbbbbb']);
    expect(output.usedCache).toBe(true);
  });

  it('keeps containers in mind until it says that they are gone', () => {
    const { output } = classic(['Step 1/2 : FROM busybox', ...RUN]);
    expect([...output.openContainers]).toEqual(['0123456789ab']);
    output.message({ stream: ' ---> Removed intermediate container 0123456789ab\n' });
    expect([...output.openContainers]).toEqual([]);
  });

  it('tells stderr from stdout, and joins pieces of lines', () => {
    const { events } = classic([...RUN, 'on', 'e\ntw', '\u001b[91merr\n\u001b[0m', 'o\n']);
    expect(events.filter(({ type }) => type === 'output')).toEqual([
      { type: 'output', stream: 'stdout', line: 'one' },
      { type: 'output', stream: 'stderr', line: 'err' },
      { type: 'output', stream: 'stdout', line: 'two' },
    ]);
  });

  it('fails with instruction, exit code and the last twenty lines', () => {
    const lines = Array.from({ length: 30 }, (_, index) => `line ${index}\n`);
    const { output } = classic([...RUN, ...lines]);
    const message = "The command '/bin/sh -c x' returned a non-zero code: 2";
    const error = output.message({ error: message, errorDetail: { code: 2, message } });
    expect(error?.failure).toEqual({
      message: 'RUN x exited with 2',
      instruction: 'RUN x',
      exitCode: 2,
      output: lines.slice(10).map((line) => line.trim()),
    });
  });

  it('passes warnings on', () => {
    const { events } = classic(['[Warning] One or more build-args [A] were not consumed\n']);
    expect(events).toEqual([{ type: 'warning', message: 'One or more build-args [A] were not consumed' }]);
  });
});

describe('a failed build', () => {
  it('is told without the layers of plumbing around the reason', () => {
    const reason =
      'failed to solve with frontend dockerfile.v0: failed to build LLB: failed to compute cache key: "/x" not found: not found';
    expect(buildError({ instruction: 'COPY x /', reason, output: [] }).message).toBe(
      'COPY x / failed: "/x" not found: not found',
    );
  });

  it('knows the exit code of both builders', () => {
    expect(exitCodeOf('process "/bin/sh -c x" did not complete successfully: exit code: 3')).toBe(3);
    expect(exitCodeOf("The command '/bin/sh -c x' returned a non-zero code: 4")).toBe(4);
    expect(exitCodeOf('not found')).toBeUndefined();
  });

  it('shows only the first line of a long instruction in its sentence', () => {
    const { message, failure } = buildError({
      instruction: 'RUN a \\\n  && b',
      reason: '',
      exitCode: 1,
      output: [],
    });
    expect([message, failure.instruction]).toEqual(['RUN a … exited with 1', 'RUN a \\\n  && b']);
  });

  it('is told in the words of the engine, on one line, without what a terminal would obey', () => {
    const said = (body: string): string => refusal('build', 500, body).message;
    expect(said('{"message":"No such container: x."}\n')).toBe(
      'The engine could not build: No such container: x',
    );
    expect(said('{"message":"a\\u001b[2J\\nb"}')).toBe('The engine could not build: a [2J b');
    expect(said('<html><head><title>502 Bad Gateway</title></head></html>')).toBe(
      'The engine could not build: 502 Bad Gateway',
    );
    expect(said('<html></html>')).toBe('The engine could not build: HTTP status 500');
    expect(said('')).toBe('The engine could not build: HTTP status 500');
    expect(said('x'.repeat(100_000)).length).toBeLessThan(600);
  });
});

describe('streams of the engine', () => {
  it('are taken apart wherever they were cut', async () => {
    const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 })), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(frames, fc.integer({ min: 1, max: 20 }), async (all, length) => {
        const sent = all.map(([stream, bytes]) => {
          const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
          header.writeUInt32BE(bytes.length, 4);
          return Buffer.concat([header, bytes]);
        });
        const got = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
        await demultiplex(streamOf(Buffer.concat(sent), length), (stream, chunk) => got[stream].push(chunk));
        const of = (number: number): Buffer =>
          Buffer.concat(all.filter(([stream]) => stream === number).map(([, bytes]) => bytes));
        expect([Buffer.concat(got.stdout), Buffer.concat(got.stderr)]).toEqual([of(1), of(2)]);
      }),
    );
  });

  it('fail when they end in the middle of a frame', async () => {
    await expect(
      demultiplex(Readable.from([Buffer.from([1, 0, 0, 0, 0, 0, 0, 9, 65])]), () => undefined),
    ).rejects.toThrow("The container's output ended in the middle of a frame");
  });

  it('are JSON values however they were cut', async () => {
    const values = fc.array(fc.record({ stream: fc.string({ unit: 'binary' }) }));
    await fc.assert(
      fc.asyncProperty(values, fc.integer({ min: 1, max: 9 }), async (sent, length) => {
        const text = Buffer.from(sent.map((value) => `${JSON.stringify(value)}\r\n`).join(''));
        const got: unknown[] = [];
        await readJsonLines(streamOf(text, length), (value) => got.push(value));
        expect(got).toEqual(JSON.parse(JSON.stringify(sent)));
      }),
    );
  });

  it.each([
    ['no JSON', '{"a":1}\nnot JSON\n{"b":2}\n', 'The engine sent progress that is not JSON'],
    ['no object', '{"a":1}\n7\n{"b":2}\n', 'The engine sent progress that is no JSON object'],
    ['cut off', '{"a":1}\n{"b":', 'The engine sent progress that is not JSON'],
  ])('fail at the first line that is %s, and are read no further', async (_, text, message) => {
    const got: unknown[] = [];
    const source = streamOf(Buffer.from(text), 3);
    await expect(readJsonLines(source, (value) => got.push(value))).rejects.toThrow(message);
    expect([got, source.destroyed]).toEqual([[{ a: 1 }], true]);
  });

  it('fail with what their reader throws', async () => {
    const source = streamOf(Buffer.from('{"a":1}\n{"a":2}\n'), 100);
    const read = readJsonLines(source, () => {
      throw new Error('enough');
    });
    await expect(read).rejects.toThrow('enough');
    expect(source.destroyed).toBe(true);
  });

  it('are whole tars, or fail', async () => {
    const check = async (bytes: Buffer): Promise<void> => {
      await pipeline(streamOf(bytes, 100), new TarEndCheck('/x'), new PassThrough().resume());
    };
    const whole = Buffer.concat([Buffer.alloc(512, 1), Buffer.alloc(1024)]);
    await check(whole);
    for (const cut of [0, 512, 1024, 1535]) {
      await expect(check(whole.subarray(0, cut))).rejects.toThrow(
        `The engine broke off while sending /x, after ${cut} bytes`,
      );
    }
  });
});

it('splits image names at the tag, not at the port', () => {
  expect(splitName('h:5000/a/b:t')).toEqual({ repository: 'h:5000/a/b', tag: 't' });
  expect(splitName('h:5000/a')).toEqual({ repository: 'h:5000/a', tag: 'latest' });
});

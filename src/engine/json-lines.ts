/** The engine's progress streams: JSON objects, one a line. */
import type { Readable } from 'node:stream';
import { EngineError } from '../core/errors.js';

/** Longer lines are not progress: the engine itself cuts output into pieces of at most some 100 KiB. */
const MAX_LINE = 16 * 1024 * 1024;

/** Each line parsed; the caller vouches for the shape. Fails with the stream. */
export async function* jsonLines(source: Readable): AsyncGenerator<object, void, undefined> {
  let pending: Buffer[] = [];
  let size = 0;
  for await (const piece of source) {
    let chunk = piece as Buffer;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10)) {
      pending.push(chunk.subarray(0, end));
      yield* parse(Buffer.concat(pending));
      pending = [];
      size = 0;
      chunk = chunk.subarray(end + 1);
    }
    pending.push(chunk);
    size += chunk.length;
    if (size > MAX_LINE) throw new EngineError('The engine sent a progress line without an end');
  }
  yield* parse(Buffer.concat(pending));
}

function* parse(line: Buffer): Generator<object, void, undefined> {
  const text = line.toString().trim();
  if (text === '') return;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EngineError('The engine sent progress that is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null)
    throw new EngineError('The engine sent progress that is no JSON object');
  yield value;
}

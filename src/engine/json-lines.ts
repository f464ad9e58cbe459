/** The engine's progress streams: JSON objects, one a line. */
import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError } from '../core/errors.js';

/** Longer lines are not progress: the engine itself cuts output into pieces of at most some 100 KiB. */
const MAX_LINE = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Hands over each line parsed, as it comes; who takes it vouches for the shape.
 * @throws EngineError for what is no line of progress, what the stream fails with, or what `onMessage` throws
 */
export async function readJsonLines(source: Readable, onMessage: (message: object) => void): Promise<void> {
  let pending: Buffer[] = [];
  let size = 0;
  const takeLine = (end: Buffer): void => {
    const line = pending.length === 0 ? end : Buffer.concat([...pending, end]);
    pending = [];
    size = 0;
    const message = parse(line);
    if (message !== undefined) onMessage(message);
  };
  const take = (piece: Buffer): void => {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end !== -1; end = piece.indexOf(NEWLINE, start)) {
      takeLine(piece.subarray(start, end));
      start = end + 1;
    }
    if (start === piece.length) return;
    pending.push(piece.subarray(start));
    size += piece.length - start;
    if (size > MAX_LINE) throw new EngineError('The engine sent a progress line without an end');
  };
  const lines = new Writable({
    write: (piece: Buffer, _encoding, done) => {
      done(failureOf(take, piece));
    },
    final: (done) => {
      done(failureOf(takeLine, NOTHING));
    },
  });
  await pipeline(source, lines);
}

const NOTHING = Buffer.alloc(0);

function failureOf(take: (bytes: Buffer) => void, bytes: Buffer): Error | null {
  try {
    take(bytes);
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** @returns `undefined` for an empty line */
function parse(line: Buffer): object | undefined {
  const text = line.toString().trim();
  if (text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EngineError('The engine sent progress that is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null)
    throw new EngineError('The engine sent progress that is no JSON object');
  return value;
}

/** Tells how far the work on an image is: its phases, and the bytes that went by. */
import { pipeline, Transform, type Readable, type TransformCallback } from 'node:stream';
import type { EmitImageEvent, ImagePhase } from './image-api.js';

const TELL_EVERY_MS = 100;

export interface PhaseAbout {
  readonly phase: ImagePhase;
  readonly subject: string;
  /** Bytes. */
  readonly total?: number;
}

/** Count bytes that went by. */
export type Count = (bytes: number) => void;

/** Do the work as one phase; a phase that fails is not finished. */
export async function asPhase<T>(
  about: PhaseAbout,
  emit: EmitImageEvent,
  work: (count: Count) => Promise<T>,
): Promise<T> {
  const { phase } = about;
  const begun = Date.now();
  let bytes = 0;
  let told = begun;
  emit({ at: begun, type: 'phase-started', ...about });
  const result = await work((more) => {
    bytes += more;
    const at = Date.now();
    if (at - told < TELL_EVERY_MS) return;
    told = at;
    emit({ at, type: 'progress', phase, bytes });
  });
  const at = Date.now();
  emit({ at, type: 'phase-finished', phase, bytes, durationMs: at - begun });
  return result;
}

/** The same bytes; errors and aborts pass in both directions. */
export function metered(stream: Readable, count: Count): Readable {
  const meter = new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
      count(chunk.length);
      done(null, chunk);
    },
  });
  // What fails is read from the meter.
  pipeline(stream, meter, () => undefined);
  return meter;
}

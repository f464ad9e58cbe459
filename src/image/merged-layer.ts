/** The layers above the base as one layer: its size and what it holds are known at once, its bytes stream. */
import { Readable } from 'node:stream';
import { BLOCK } from '../tar/raw-header.js';
import { layLayers } from './merge.js';
import { planMerge, type MergePlan } from './merge-plan.js';
import type { ImageArchive } from './spool.js';
import type { SpoolFile } from './spool-file.js';

/** Bytes that go out at once. */
const CHUNK = 1 << 18;
/** Smaller pieces are read at once: a trip to another thread would cost more than the read. */
const SMALL = 1 << 15;
const END_MARK = 2 * BLOCK;

export interface MergeStats {
  /** Layers merged, and entries and bytes of them all. */
  readonly layersBefore: number;
  readonly entriesBefore: number;
  readonly bytesBefore: number;
  /** Of the merged layer; whiteouts and opaque marks are entries too. */
  readonly entries: number;
  readonly marks: number;
  readonly bytes: number;
  /** Paths that some layer above the base had and the merged one has not. */
  readonly removed: number;
}

/** Lives as long as its archive. */
export interface MergedLayer {
  /** Bytes of the stream. */
  readonly size: number;
  readonly stats: MergeStats;
  /** The tar, the same each time. */
  stream(signal: AbortSignal): Readable;
  /** The same in pieces that are the consumer's to keep. */
  chunks(signal: AbortSignal): AsyncGenerator<Buffer, void, undefined>;
}

/** @throws ImageError where a layer's entries contradict each other */
export function mergeLayers(archive: ImageArchive): MergedLayer {
  const plan = planMerge(layLayers(archive), archive.spool);
  const size = plan.segments.totalBlocks * BLOCK + END_MARK;
  const merged = archive.layers.slice(archive.baseLayers);
  const chunks = (signal: AbortSignal) => readPlan(plan, archive.spool, signal);
  return {
    size,
    stats: {
      layersBefore: merged.length,
      entriesBefore: merged.reduce((sum, { log }) => sum + log.count, 0),
      bytesBefore: merged.reduce((sum, layer) => sum + layer.size, 0),
      entries: plan.entries,
      marks: plan.marks,
      bytes: size,
      removed: plan.removed,
    },
    chunks,
    stream: (signal) => Readable.from(chunks(signal), { objectMode: false, signal }),
  };
}

async function* readPlan(
  plan: MergePlan,
  spool: SpoolFile,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  let chunk = Buffer.allocUnsafeSlow(CHUNK);
  let used = 0;
  for (const segment of plan.segments) {
    const made = segment.kind === 'copy' ? undefined : plan.make(segment.kind, segment.node);
    const length = segment.blocks * BLOCK;
    for (let done = 0; done < length;) {
      if (used === CHUNK) {
        signal.throwIfAborted();
        yield chunk;
        chunk = Buffer.allocUnsafeSlow(CHUNK);
        used = 0;
      }
      const target = chunk.subarray(used, Math.min(CHUNK, used + length - done));
      if (segment.kind !== 'copy') made?.copy(target, 0, done);
      else if (target.length < SMALL) spool.readNow(target, segment.start * BLOCK + done);
      else await spool.read(target, segment.start * BLOCK + done);
      used += target.length;
      done += target.length;
    }
  }
  signal.throwIfAborted();
  yield chunk.subarray(0, used);
  yield Buffer.alloc(END_MARK);
}

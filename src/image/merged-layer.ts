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
const SMALL = 1 << 14;
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
  /** The layers that have such a path first, counted from 0 above the base, ascending. */
  readonly removedFrom: readonly number[];
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

/**
 * To be called once: the archive's index of entries is given up for the plan of the new layer.
 * @throws ImageError where a layer's entries contradict each other
 */
export async function mergeLayers(archive: ImageArchive): Promise<MergedLayer> {
  const merged = archive.layers.slice(archive.baseLayers);
  const entriesBefore = merged.reduce((sum, { log }) => sum + log.count, 0);
  const layered = layLayers(archive);
  for (const { log } of archive.layers) log.release();
  const plan = await planMerge(layered, archive.spool);
  for (const part of [layered.tree, layered.base, layered.upper, layered.entries]) part.release();
  const size = plan.segments.totalBlocks * BLOCK + END_MARK;
  const chunks = (signal: AbortSignal) => ahead(readPlan(plan, archive.spool, signal));
  return {
    size,
    stats: {
      layersBefore: merged.length,
      entriesBefore,
      bytesBefore: merged.reduce((sum, layer) => sum + layer.size, 0),
      entries: plan.entries,
      marks: plan.marks,
      bytes: size,
      removed: plan.removed,
      removedFrom: plan.removedFrom,
    },
    chunks,
    stream: (signal) => Readable.from(chunks(signal), { objectMode: false, signal }),
  };
}

/** The same, each asked for while the one before is used: reading the spool and sending keep two processors at work. */
async function* ahead<T>(source: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  let next = source.next();
  try {
    for (let now = await next; now.done !== true; now = await next) {
      next = source.next();
      // Told when it is its turn.
      next.catch(() => undefined);
      yield now.value;
    }
  } finally {
    // Behind a reading that is under way: nobody closes the spool before that.
    await source.return();
  }
}

async function* readPlan(
  plan: MergePlan,
  spool: SpoolFile,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  let chunk = Buffer.allocUnsafeSlow(CHUNK);
  let used = 0;
  for (const { start, blocks } of plan.segments) {
    const length = blocks * BLOCK;
    for (let done = 0; done < length;) {
      if (used === CHUNK) {
        signal.throwIfAborted();
        yield chunk;
        chunk = Buffer.allocUnsafeSlow(CHUNK);
        used = 0;
      }
      const target = chunk.subarray(used, Math.min(CHUNK, used + length - done));
      const position = start * BLOCK + done;
      if (target.length < SMALL) spool.readNow(target, position);
      else await spool.read(target, position);
      used += target.length;
      done += target.length;
    }
  }
  signal.throwIfAborted();
  yield chunk.subarray(0, used);
  yield Buffer.alloc(END_MARK);
}

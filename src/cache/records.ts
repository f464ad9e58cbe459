/** What the last sessions built of each step of a build file on an engine: fingerprints, images, durations. */
import { createHash } from 'node:crypto';
import type { Fingerprint } from './fingerprint.js';
import type { CacheStore } from './store.js';

/** A step's image, and what it was made from. */
export interface StepRecord {
  readonly fingerprint: Fingerprint;
  /** ContextDigest.digest, by which `keptFiles` finds the files; absent: the step read no context. */
  readonly context?: string;
  readonly imageId: string;
  /** ID of the session that built it. */
  readonly session: string;
  /** When, in milliseconds since the epoch. */
  readonly at: number;
}

/** Whose records they are. */
export interface RecordScope {
  /** The engine's own ID: images are on one engine only. */
  readonly engineId: string;
  /** Absolute path of the build file. */
  readonly file: string;
}

/** Images of a step under recent fingerprints: going back to an earlier branch finds them. */
const IMAGES_PER_STEP = 8;
const STEPS = 10_000;
/** Records that no session has asked for or made for so long are dropped, in milliseconds. */
const LIFETIME = 90 * 86_400_000;

interface RememberedImage {
  readonly fingerprint: string;
  readonly imageId: string;
  /** commandDigest of the one that has succeeded in it last, where that is to be remembered. */
  readonly command?: string;
}

interface StepMemory {
  /** Of the last session that built the step or found it built. */
  readonly last?: StepRecord;
  /** Latest first. */
  readonly images: readonly RememberedImage[];
  readonly durationMs?: number;
  /** When it was written last, in milliseconds since the epoch. */
  readonly at: number;
}

type Memories = readonly (readonly [label: string, memory: StepMemory])[];

export class Records {
  readonly #store: CacheStore;
  readonly #name: string;
  readonly #memories: Map<string, StepMemory>;
  readonly #changed = new Set<string>();

  private constructor(store: CacheStore, name: string, memories: Memories) {
    this.#store = store;
    this.#name = name;
    this.#memories = new Map(memories);
  }

  static async open(store: CacheStore, { engineId, file }: RecordScope): Promise<Records> {
    const name = createHash('sha256')
      .update(JSON.stringify([engineId, file]))
      .digest('hex');
    return new Records(store, name, await read(store, name));
  }

  /** Whether no step of the build file has ever been built, as far as is known. */
  get isEmpty(): boolean {
    return this.#memories.size === 0;
  }

  /** The record of the last session that built the step or found it built. */
  last(label: string): StepRecord | undefined {
    return this.#memories.get(label)?.last;
  }

  /** ID of an image that was built under this fingerprint; whether it still exists, the engine knows. */
  imageOf(label: string, fingerprintId: string): string | undefined {
    return this.#image(label, fingerprintId)?.imageId;
  }

  /** commandDigest of the last command that has succeeded in that image. */
  commandOf(label: string, fingerprintId: string): string | undefined {
    return this.#image(label, fingerprintId)?.command;
  }

  /** How long the step's last real build took, in milliseconds. */
  durationOf(label: string): number | undefined {
    return this.#memories.get(label)?.durationMs;
  }

  /** A step was built, or found built. */
  note(label: string, record: StepRecord): void {
    const { id } = record.fingerprint;
    const { images = [], ...memory } = this.#memories.get(label) ?? {};
    const others = images.filter(({ fingerprint }) => fingerprint !== id);
    this.#change(label, {
      ...memory,
      last: record,
      images: [{ fingerprint: id, imageId: record.imageId }, ...others].slice(0, IMAGES_PER_STEP),
      at: record.at,
    });
  }

  /** A command has succeeded in an image; nothing is noted where that is not the one known under the fingerprint. */
  noteCommand(label: string, fingerprintId: string, imageId: string, command: string): void {
    const memory = this.#memories.get(label);
    const image = this.#image(label, fingerprintId);
    if (memory === undefined || image?.imageId !== imageId) return;
    const images = memory.images.map((one) => (one === image ? { ...image, command } : one));
    this.#change(label, { ...memory, images, at: Date.now() });
  }

  /** A step was really built, with a fingerprint or without. */
  noteDuration(label: string, durationMs: number): void {
    this.#change(label, { images: [], ...this.#memories.get(label), durationMs, at: Date.now() });
  }

  /** An image is gone from the engine. */
  forgetImage(label: string, imageId: string): void {
    const memory = this.#memories.get(label);
    if (memory?.images.some((image) => image.imageId === imageId) !== true) return;
    this.#change(label, { ...memory, images: memory.images.filter((image) => image.imageId !== imageId) });
  }

  /**
   * Keep them for the next session. What other sessions have saved of other steps meanwhile stays; of a step that both know,
   * the last to save is right. Never rejects; see CacheStore.problem.
   */
  async save(): Promise<void> {
    if (this.#changed.size === 0) return;
    const merged = new Map(await read(this.#store, this.#name));
    for (const label of this.#changed) {
      const memory = this.#memories.get(label);
      if (memory !== undefined) merged.set(label, memory);
    }
    const alive = [...merged]
      .filter(([, { at }]) => at > Date.now() - LIFETIME)
      .sort(([, a], [, b]) => b.at - a.at)
      .slice(0, STEPS);
    await this.#store.write('records', this.#name, Buffer.from(JSON.stringify(alive)));
    this.#changed.clear();
  }

  #image(label: string, fingerprintId: string): RememberedImage | undefined {
    return this.#memories.get(label)?.images.find(({ fingerprint }) => fingerprint === fingerprintId);
  }

  #change(label: string, memory: StepMemory): void {
    this.#memories.set(label, memory);
    this.#changed.add(label);
  }
}

async function read(store: CacheStore, name: string): Promise<Memories> {
  const content = await store.read('records', name);
  // Sealed: it is what this version of the program wrote.
  return content === undefined ? [] : (JSON.parse(content.toString()) as Memories);
}

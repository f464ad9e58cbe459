/** The command that checks one image: every digest and size of its archive is computed anew. */
import { createReadStream } from 'node:fs';
import { validateImageArchive } from '../image/validate.js';
import type { EmitImageEvent, ImageCheck } from './image-api.js';
import { checkInputFile, findImage, readFailure, type Connect, type ImageInput } from './image-input.js';
import { asPhase, metered } from './image-progress.js';

/** @throws see `CheckImage` */
export async function checkOne(
  input: ImageInput,
  connect: Connect,
  emit: EmitImageEvent,
  signal: AbortSignal,
): Promise<ImageCheck> {
  const source = await open(input, connect, emit, signal);
  const about = { phase: 'check', ...source.about } as const;
  const report = await asPhase(about, emit, async (count) => {
    try {
      return await validateImageArchive(metered(await source.stream(), count), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw readFailure(error, `${JSON.stringify(about.subject)} cannot be read`);
    }
  });
  const layers = new Map(report.layers.map((layer) => [layer.diffId, layer]));
  return {
    sound: report.problems.length === 0,
    problems: report.problems,
    images: report.images.map(({ tags, configDigest, manifestDigest, diffIds }) => ({
      names: tags,
      configDigest,
      ...(manifestDigest !== undefined && { manifestDigest }),
      layers: diffIds.map((diffId) => {
        const { bytes, entries } = layers.get(diffId) ?? {};
        return { diffId, ...(bytes !== undefined && { bytes }), ...(entries !== undefined && { entries }) };
      }),
    })),
  };
}

async function open(input: ImageInput, connect: Connect, emit: EmitImageEvent, signal: AbortSignal) {
  switch (input.kind) {
    case 'file': {
      const { path } = input;
      const total = await checkInputFile(path);
      return { about: { subject: path, total }, stream: () => Promise.resolve(createReadStream(path)) };
    }
    case 'image': {
      const { reference } = input;
      await findImage(input, connect, emit, signal);
      // By what it was asked for: an archive saved by ID has no names.
      const { archives } = await connect();
      return { about: { subject: reference }, stream: () => archives.saveImages([reference], signal) };
    }
  }
}

/** Checks an image archive in full: recomputes every digest and size, and reports all that is wrong with it. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Keep } from './archive-file.js';
import { ExpansionBudget } from './budget.js';
import { ImageError } from './errors.js';
import { namedDigest } from './locate.js';
import { quoted } from './names.js';
import { readArchive, type ArchiveFiles } from './read-archive.js';
import { SpoolFile } from './spool-file.js';
import { DocumentChecker, type CheckedImage } from './validate-documents.js';
import { LayerChecker } from './validate-layer.js';
import { TarStrictness } from './validate-tar.js';

export type { CheckedImage } from './validate-documents.js';

/** A layer as it is unpacked, whichever images have it. */
export interface MeasuredLayer {
  readonly diffId: string;
  readonly bytes: number;
  readonly entries: number;
}

export interface ImageReport {
  readonly images: readonly CheckedImage[];
  readonly layers: readonly MeasuredLayer[];
  /** Sentences without a final period; none means that the archive is sound. */
  readonly problems: readonly string[];
}

/**
 * Takes what `docker save` writes and OCI layouts, also gzip'd; memory grows with the number of paths.
 * @param input a stream, or the path of a file
 * @throws the stream's error or the signal's reason; never for what is wrong with the archive
 */
export async function validateImageArchive(
  input: Readable | string,
  signal: AbortSignal,
): Promise<ImageReport> {
  const stream = typeof input === 'string' ? createReadStream(input) : input;
  await using spool = await SpoolFile.open();
  const checkers = new Map<string, LayerChecker>();
  const reading = {
    spool,
    budget: new ExpansionBudget(),
    keep: (): Keep => 'index',
    watch: (path: string) => {
      const checker = new LayerChecker();
      checkers.set(path, checker);
      return checker;
    },
  };
  const strictness = new TarStrictness();
  let files: ArchiveFiles;
  try {
    files = await readArchive(stream, reading, signal, (chunk) => {
      strictness.feed(chunk);
    });
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { images: [], layers: [], problems: [error.message] };
  }
  const layers = new Map([...checkers].map(([path, checker]) => [path, checker.end()]));
  const documents = new DocumentChecker(files, spool, layers);
  await documents.check();
  const problems = [...strictness.end(), ...wrongNames(files), ...documents.problems];
  return { images: [...documents.images.values()], layers: measured(files), problems };
}

function measured(files: ArchiveFiles): MeasuredLayer[] {
  return [...files].flatMap(({ content }) =>
    content.kind === 'layer'
      ? [{ diffId: content.diffId, bytes: content.size, entries: content.index?.log.count ?? 0 }]
      : [],
  );
}

function wrongNames(files: ArchiveFiles): string[] {
  return [...files]
    .filter(({ path, digest }) => (namedDigest(path) ?? digest) !== digest)
    .map(({ path, digest }) => `${quoted(path)} has other content than its name says: ${digest}`);
}

/** Reads a layer as it comes by, and keeps what merging needs to know of each entry. */
import { TarError } from '../tar/errors.js';
import { BLOCK, text } from '../tar/raw-header.js';
import { TarScanner, type RawEntry } from '../tar/raw.js';
import type { LayerProblem } from './errors.js';
import { LayerLog } from './layer-log.js';
import { normalizePath, printable, quoted, readEntryName } from './names.js';

/** Types that every engine can load: file, hard link, symlink, devices, folder, fifo, contiguous file. */
const LOADABLE = '01234567';

/** What was found in a layer. */
export interface LayerIndex {
  readonly log: LayerLog;
  /** Why it cannot be read at all. */
  readonly broken: LayerProblem | undefined;
  /** Why it cannot be part of an image that this program makes, though an engine may have it. */
  readonly unfit: LayerProblem | undefined;
}

/** Feed it a layer's bytes; it never throws, but says at the end what is wrong. */
export class LayerIndexer {
  readonly #scanner = new TarScanner();
  readonly #log = new LayerLog();
  readonly #onEntry: ((entry: RawEntry) => void) | undefined;
  #lastName: string | undefined;
  #broken: LayerProblem | undefined;
  #unfit: LayerProblem | undefined;

  /** @param onEntry called for every entry too */
  constructor(onEntry?: (entry: RawEntry) => void) {
    this.#onEntry = onEntry;
  }

  feed(chunk: Buffer): void {
    if (this.#broken) return;
    const from = this.#scanner.offset;
    try {
      for (const event of this.#scanner.feed(chunk)) if (event.type === 'entry') this.#entry(event.entry);
    } catch (error) {
      this.#fail(error, chunk, from);
    }
  }

  end(): LayerIndex {
    if (!this.#broken) {
      try {
        this.#scanner.end();
      } catch (error) {
        this.#fail(error, Buffer.alloc(0), this.#scanner.offset);
      }
    }
    return { log: this.#log, broken: this.#broken, unfit: this.#unfit };
  }

  #entry(entry: RawEntry): void {
    this.#lastName = entry.path;
    this.#onEntry?.(entry);
    const { kind, path, problem } = readEntryName(entry.path);
    this.#unfit ??= problem;
    if (kind === 'ignored') return;
    if (kind === 'path' && !LOADABLE.includes(entry.type)) {
      this.#unfit ??= {
        trouble: 'unsupported',
        text: `has an entry of the unknown type "${printable(entry.type)}": ${quoted(entry.path)}`,
        entry: printable(entry.path),
      };
      return;
    }
    this.#log.add({
      path,
      kind,
      type: entry.type.charCodeAt(0),
      target: entry.type === '1' && kind === 'path' ? this.#target(entry) : '',
      start: entry.start / BLOCK,
      head: (entry.data - entry.start) / BLOCK,
      body: (entry.end - entry.data) / BLOCK,
    });
  }

  /** Engines take a hard link's target as a path from the image's root, whatever slashes lead it. */
  #target(entry: RawEntry): string {
    const { path } = normalizePath(entry.linkname);
    if (path !== undefined) return path;
    this.#unfit ??= {
      trouble: 'hostile-name',
      text: `has a hard link ${quoted(entry.path)} that leaves the image: ${quoted(entry.linkname)}`,
      entry: printable(entry.path),
    };
    return '';
  }

  #fail(error: unknown, chunk: Buffer, from: number): void {
    if (!(error instanceof TarError)) throw error;
    const at = error.offset - from;
    // The scanner gives no entry that it refuses; its header may still say its name.
    const name = at >= 0 && at + BLOCK <= chunk.length ? text(chunk, at, 100) : '';
    const place =
      name !== ''
        ? ` (at the entry ${quoted(name)})`
        : this.#lastName === undefined
          ? ''
          : ` (after the entry ${quoted(this.#lastName)})`;
    const entry = name === '' ? this.#lastName : name;
    this.#broken = {
      trouble: error.message.endsWith('cut off') ? 'truncated' : 'corrupt',
      text: `cannot be read: ${lowerFirst(error.message)}${place}`,
      cause: error,
      ...(entry !== undefined && { entry: printable(entry) }),
    };
  }
}

function lowerFirst(sentence: string): string {
  return `${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`;
}

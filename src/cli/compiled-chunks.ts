/** What V8 has compiled of the program's files, kept for Node 20, whose own cache came with 22.1: this goes when Node 20 does. */
import { createHash } from 'node:crypto';
import module, { createRequire } from 'node:module';
import { basename, dirname } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { Script } from 'node:vm';
import type { CacheStore } from '../cache/store.js';

/** The one method of Node's module loader that turns a file's text into its exports. Node 20 and 22.0 change no more. */
interface Loader {
  _compile: (this: NodeJS.Module, content: string, filename: string, ...more: unknown[]) => unknown;
}

interface Chunk {
  /** Digest of the text that it was compiled from: V8 itself looks at no more than the length. */
  readonly source: string;
  readonly code: Buffer;
}

/** Parameters of the function that a CommonJS file is the body of. */
type Body = (
  exports: unknown,
  require: NodeJS.Require,
  module: NodeJS.Module,
  filename: string,
  folder: string,
) => unknown;

export class CompiledChunks {
  readonly #folder: string;
  readonly #store: CacheStore;
  /** By file name. */
  readonly #kept: ReadonlyMap<string, Chunk>;
  readonly #loaded = new Map<string, { readonly source: string; readonly script: Script }>();
  #learned = false;

  private constructor(folder: string, store: CacheStore, kept: ReadonlyMap<string, Chunk>) {
    this.#folder = folder;
    this.#store = store;
    this.#kept = kept;
  }

  /**
   * From now on what is loaded of a folder is compiled only where it was not before. The store must be one that nobody else
   * can write to: what it holds is run.
   * @param folder absolute, of CommonJS files
   */
  static async open(folder: string, store: CacheStore): Promise<CompiledChunks> {
    const content = await store.read('chunks', NAME);
    // Sealed: it is what this version of Node wrote.
    const kept = content === undefined ? new Map() : (deserialize(content) as Map<string, Chunk>);
    const chunks = new CompiledChunks(folder, store, kept);
    chunks.#watch(module.prototype as unknown as Loader);
    return chunks;
  }

  /** Keep what was compiled, with the functions that have run. Never rejects. */
  async save(): Promise<void> {
    if (!this.#learned) return;
    const chunks = new Map<string, Chunk>();
    for (const [name, { source, script }] of this.#loaded) {
      chunks.set(name, { source, code: script.createCachedData() });
    }
    for (const [name, chunk] of this.#kept) if (!chunks.has(name)) chunks.set(name, chunk);
    const newest = [...chunks].slice(0, MOST_CHUNKS);
    await this.#store.write('chunks', NAME, serialize(new Map(newest)));
  }

  #watch(loader: Loader): void {
    const compile = loader._compile;
    const load = (content: string, filename: string): Body => this.#load(content, filename);
    const folder = this.#folder;
    loader._compile = function (content, filename, ...more) {
      if (dirname(filename) !== folder) return compile.call(this, content, filename, ...more);
      const body = load(content, filename);
      return body.call(this.exports, this.exports, createRequire(filename), this, filename, folder);
    };
  }

  #load(content: string, filename: string): Body {
    const name = basename(filename);
    const source = createHash('sha256').update(content).digest('hex');
    const kept = this.#kept.get(name);
    const script = new Script(module.wrap(content), {
      filename,
      ...(kept?.source === source && { cachedData: kept.code }),
    });
    this.#loaded.set(name, { source, script });
    if (script.cachedDataRejected !== false) this.#learned = true;
    return script.runInThisContext() as Body;
  }
}

/** Files of the program that any command needs, and as many of the one before it. */
const MOST_CHUNKS = 50;

/** V8 reads only what it has written itself. */
const NAME = `${process.version}${process.arch}`.replace(/\W/g, '');

/** What V8 has compiled of the program's files, kept for Node 20, whose own cache came with 22.1: this goes when Node 20 does. */
import { createHash } from 'node:crypto';
import module, { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';
import type { CacheStore } from '../cache/store.js';

/** The one method of Node's module loader that turns a file's text into its exports. Node 20 and 22.0 change no more. */
interface Loader {
  _compile: (this: NodeJS.Module, content: string, filename: string, ...more: unknown[]) => unknown;
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
  /** By the name that they are kept under. */
  readonly #loaded = new Map<string, Script>();
  #learned = false;

  private constructor(folder: string, store: CacheStore) {
    this.#folder = folder;
    this.#store = store;
  }

  /**
   * From now on what is loaded of a folder is compiled only where it was not before. The store must be one that nobody else
   * can write to: what it holds is run.
   * @param folder absolute, of CommonJS files
   */
  static open(folder: string, store: CacheStore): CompiledChunks {
    const chunks = new CompiledChunks(folder, store);
    chunks.#watch(module.prototype as unknown as Loader);
    return chunks;
  }

  /** Keep what was compiled, with the functions that have run. Never rejects. */
  async save(): Promise<void> {
    if (!this.#learned) return;
    for (const [name, script] of this.#loaded)
      await this.#store.write('chunks', name, script.createCachedData());
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
    const name = nameOf(content);
    // Sealed: it is what this version of Node wrote.
    const cachedData = this.#store.readSync('chunks', name);
    const script = new Script(module.wrap(content), { filename, ...(cachedData && { cachedData }) });
    this.#loaded.set(name, script);
    if (script.cachedDataRejected !== false) this.#learned = true;
    return script.runInThisContext() as Body;
  }
}

/** By the whole text, for V8 itself looks at no more than its length; and V8 reads only what it has written itself. */
function nameOf(content: string): string {
  return createHash('sha256').update(`${process.version} ${process.arch}\n`).update(content).digest('hex');
}

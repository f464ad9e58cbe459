/** What a context held: the bytes that its digest is made of, kept to be compared with the next session's. */
import { DIGEST_BYTES } from './digests.js';

const HEAD_BYTES = 4;
/** How the states of those entries begin that have a content. */
const FILE = 'file ';

/** States of files by path, both latin1 without NUL. */
export class FileStates {
  readonly #layout: readonly Buffer[];
  readonly #contents: readonly Buffer[];

  /**
   * @param layout of each entry its state without content, NUL, its path, NUL; in pieces
   * @param contents digests of those whose state begins with `file `, in the same order; in pieces
   */
  constructor(layout: readonly Buffer[], contents: readonly Buffer[]) {
    this.#layout = layout;
    this.#contents = contents;
  }

  /** @param encoded what `encode` gave */
  static decode(encoded: Buffer): FileStates {
    const end = HEAD_BYTES + encoded.readUInt32LE(0);
    return new FileStates([encoded.subarray(HEAD_BYTES, end)], [encoded.subarray(end)]);
  }

  encode(): Buffer {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(this.#layout.reduce((sum, piece) => sum + piece.length, 0));
    return Buffer.concat([head, ...this.#layout, ...this.#contents]);
  }

  /** In the order of the later session, then what is gone. */
  changesSince(before: FileStates): readonly FileChange[] {
    const changes: FileChange[] = [];
    const earlier = new Map(before.#states());
    for (const [path, state] of this.#states()) {
      const was = earlier.get(path);
      earlier.delete(path);
      if (was === undefined) changes.push({ path, change: 'added' });
      else if (was !== state) changes.push({ path, change: onlyMode(was, state) ? 'mode' : 'content' });
    }
    for (const path of earlier.keys()) changes.push({ path, change: 'removed' });
    return changes;
  }

  *#states(): Generator<readonly [path: string, state: string]> {
    const words = Buffer.concat(this.#layout).toString('latin1').split('\0');
    const contents = Buffer.concat(this.#contents);
    for (let word = 0, at = 0; word + 1 < words.length; word += 2) {
      const [state = '', path = ''] = words.slice(word, word + 2);
      const end = state.startsWith(FILE) ? at + DIGEST_BYTES : at;
      yield [path, `${state} ${contents.toString('latin1', at, end)}`];
      at = end;
    }
  }
}

export interface FileChange {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'content' | 'mode';
}

/** States begin with a type and permissions. */
function onlyMode(a: string, b: string): boolean {
  const withoutMode = (state: string): string => state.replace(/ \d+/, '');
  return withoutMode(a) === withoutMode(b);
}

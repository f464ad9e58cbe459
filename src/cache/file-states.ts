/** What a context held, short enough to be kept and compared with the next session's. */
import type { Digests } from './digests.js';

/** 72 bits of a content's digest: enough to tell two versions of a file apart for a message. */
const SHORT = 9;

/** States of files by path, both latin1 without NUL. */
export class FileStates {
  readonly #all: () => Iterable<readonly [path: string, state: string]>;

  private constructor(all: () => Iterable<readonly [string, string]>) {
    this.#all = all;
  }

  /**
   * @param stateAt of the path at a place, without its content
   * @param contents by place in the list of paths; none where there is no content
   */
  static of(
    paths: readonly string[],
    stateAt: (index: number) => string,
    contents: Pick<Digests, 'start'>,
  ): FileStates {
    return new FileStates(function* () {
      for (const [index, path] of paths.entries()) {
        const content = contents.start(index, SHORT);
        yield [path, content === undefined ? stateAt(index) : `${stateAt(index)} ${content}`];
      }
    });
  }

  static decode(encoded: Buffer): FileStates {
    const words = encoded.length === 0 ? [] : encoded.toString('latin1').split('\0');
    return new FileStates(function* () {
      for (let i = 0; i + 1 < words.length; i += 2) yield [words[i] ?? '', words[i + 1] ?? ''];
    });
  }

  encode(): Buffer {
    let text = '';
    for (const [path, state] of this.#all()) text += `${text === '' ? '' : '\0'}${path}\0${state}`;
    return Buffer.from(text, 'latin1');
  }

  /** In the order of the later session, then what is gone. */
  changesSince(before: FileStates): readonly FileChange[] {
    const changes: FileChange[] = [];
    const earlier = new Map(before.#all());
    for (const [path, state] of this.#all()) {
      const was = earlier.get(path);
      earlier.delete(path);
      if (was === undefined) changes.push({ path, change: 'added' });
      else if (was !== state) changes.push({ path, change: onlyMode(was, state) ? 'mode' : 'content' });
    }
    for (const path of earlier.keys()) changes.push({ path, change: 'removed' });
    return changes;
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

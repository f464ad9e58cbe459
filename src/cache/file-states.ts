/** What a context held, short enough to be kept and compared with the next session's. */
import type { Digests } from './digests.js';

/** States of files by path, both latin1 without NUL. */
export class FileStates {
  readonly #states: ReadonlyMap<string, string>;

  private constructor(states: ReadonlyMap<string, string>) {
    this.#states = states;
  }

  /**
   * @param stateAt of the path at a place, without its content
   * @param contents by place in the list of paths; none where there is no content
   */
  static of(
    paths: readonly string[],
    stateAt: (index: number) => string,
    contents: Pick<Digests, 'at'>,
  ): FileStates {
    const states = paths.map((path, index): [string, string] => {
      const content = contents.at(index);
      return [path, content === undefined ? stateAt(index) : `${stateAt(index)} ${shorten(content)}`];
    });
    return new FileStates(new Map(states));
  }

  static decode(encoded: Buffer): FileStates {
    const words = encoded.length === 0 ? [] : encoded.toString('latin1').split('\0');
    const states = new Map<string, string>();
    for (let i = 0; i + 1 < words.length; i += 2) states.set(words[i] ?? '', words[i + 1] ?? '');
    return new FileStates(states);
  }

  encode(): Buffer {
    return Buffer.from([...this.#states].map(([path, state]) => `${path}\0${state}`).join('\0'), 'latin1');
  }

  /** In the order of the later session, then what is gone. */
  changesSince(before: FileStates): readonly FileChange[] {
    const changes: FileChange[] = [];
    for (const [path, state] of this.#states) {
      const earlier = before.#states.get(path);
      if (earlier === undefined) changes.push({ path, change: 'added' });
      else if (earlier !== state)
        changes.push({ path, change: onlyMode(earlier, state) ? 'mode' : 'content' });
    }
    for (const path of before.#states.keys()) {
      if (!this.#states.has(path)) changes.push({ path, change: 'removed' });
    }
    return changes;
  }
}

export interface FileChange {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'content' | 'mode';
}

/** 72 bits: enough to tell two versions of a file apart for a message. */
const SHORT = 9;

function shorten(content: string): string {
  return Buffer.from(content.slice(0, SHORT), 'latin1').toString('base64');
}

/** States begin with a type and permissions. */
function onlyMode(a: string, b: string): boolean {
  const withoutMode = (state: string): string => state.replace(/ \d+/, '');
  return withoutMode(a) === withoutMode(b);
}

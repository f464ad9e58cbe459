/** What a context held, short enough to be kept and compared with the next session's. */

/** States of files by path, both latin1 without NUL. */
export class FileStates {
  readonly #states: ReadonlyMap<string, string>;

  private constructor(states: ReadonlyMap<string, string>) {
    this.#states = states;
  }

  /** @param states those of files end in a space and the 32 characters of their digest; as many as paths */
  static of(paths: readonly string[], states: readonly string[]): FileStates {
    return new FileStates(new Map(paths.map((path, index) => [path, shorten(states[index] ?? '')])));
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

const DIGEST_CHARACTERS = 32;
/** 72 bits: enough to tell two versions of a file apart for a message. */
const SHORT = 9;

function shorten(state: string): string {
  if (!state.startsWith('file ')) return state;
  const digestAt = state.length - DIGEST_CHARACTERS;
  const short = Buffer.from(state.slice(digestAt, digestAt + SHORT), 'latin1').toString('base64');
  return state.slice(0, digestAt) + short;
}

/** States begin with a type and permissions. */
function onlyMode(a: string, b: string): boolean {
  const withoutMode = (state: string): string => state.replace(/ \d+/, '');
  return withoutMode(a) === withoutMode(b);
}

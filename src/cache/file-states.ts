/** What a context held: the bytes that its digest is made of, kept to be compared with the next session's. */
import { constants } from 'node:fs';
import type { ListedFolder } from '../tar/listed.js';
import type { Scanned } from '../tar/scan.js';
import { DIGEST_BYTES } from './digests.js';

/** Of each entry its mode and, of a file, its size. */
const STATE_NUMBERS = 2;
const HEAD_BYTES = 3 * Uint32Array.BYTES_PER_ELEMENT;

/** All that a builder sees of the entries of a context but for the contents of files. */
export interface Layout {
  /** Latin1, in order, with a NUL between two. */
  readonly paths: Buffer;
  /** By place, STATE_NUMBERS each, 64-bit floating-point ones. */
  readonly states: Buffer;
  /** Of what is neither a file with a content nor a folder: its place, NUL, what else is to say of it, NUL. Latin1. */
  readonly others: Buffer;
}

/** @param links first names of files that are listed under another one, by the place of that */
export function layoutOf(listed: ListedFolder, links: ReadonlyMap<number, string>): Layout {
  const { paths, stats } = listed;
  const states = new Float64Array(STATE_NUMBERS * paths.length);
  for (let place = 0, at = 0; place < paths.length; place++) {
    const mode = stats.mode(place);
    states[at++] = mode;
    states[at++] = isFile(mode) ? stats.size(place) : 0;
  }
  let others = '';
  for (const [place, found] of listed.others) {
    const link = links.get(place);
    if (link !== undefined) others += `${place}\0hardlink ${link}\0`;
    else if (found.type !== 'file') others += `${place}\0${describe(found)}\0`;
  }
  return {
    paths: Buffer.from(paths.join('\0'), 'latin1'),
    states: Buffer.from(states.buffer),
    others: Buffer.from(others, 'latin1'),
  };
}

function describe({ type, target = '', stats }: Scanned): string {
  return type === 'character' || type === 'block' ? `device ${stats.rdev}` : target;
}

/** Nothing of it can be read in two ways. */
export function encodeLayout({ paths, states, others }: Layout): readonly Buffer[] {
  const head = Buffer.alloc(HEAD_BYTES);
  for (const [i, part] of [paths, states, others].entries()) {
    head.writeUInt32LE(part.length, i * Uint32Array.BYTES_PER_ELEMENT);
  }
  return [head, paths, states, others];
}

/** States of files by path, both latin1 without NUL. */
export class FileStates {
  readonly #layout: Layout;
  readonly #contents: readonly Buffer[];

  /** @param contents digests of files, in the same order; in pieces */
  constructor(layout: Layout, contents: readonly Buffer[]) {
    this.#layout = layout;
    this.#contents = contents;
  }

  /** @param encoded what `encode` gave */
  static decode(encoded: Buffer): FileStates {
    let at = HEAD_BYTES;
    const next = (part: number): Buffer => {
      const length = encoded.readUInt32LE(part * Uint32Array.BYTES_PER_ELEMENT);
      return encoded.subarray(at, (at += length));
    };
    const layout = { paths: next(0), states: next(1), others: next(2) };
    return new FileStates(layout, [encoded.subarray(at)]);
  }

  encode(): Buffer {
    return Buffer.concat([...encodeLayout(this.#layout), ...this.#contents]);
  }

  /** In the order of the later session, then what is gone. */
  changesSince(before: FileStates): readonly FileChange[] {
    const changes: FileChange[] = [];
    const earlier = new Map(before.#states());
    for (const [path, state] of this.#states()) {
      const was = earlier.get(path);
      earlier.delete(path);
      const change = was === undefined ? 'added' : difference(was, state);
      if (change !== undefined) changes.push({ path, change });
    }
    for (const path of earlier.keys()) changes.push({ path, change: 'removed' });
    return changes;
  }

  *#states(): Generator<readonly [path: string, state: State]> {
    const { paths, states, others } = this.#layout;
    if (states.length === 0) return;
    const numbers = new Float64Array(states.length / Float64Array.BYTES_PER_ELEMENT);
    states.copy(new Uint8Array(numbers.buffer));
    const words = others.toString('latin1').split('\0');
    const more = new Map<number, string>();
    for (let word = 0; word + 1 < words.length; word += 2)
      more.set(Number(words[word]), words[word + 1] ?? '');
    const contents = Buffer.concat(this.#contents);
    let at = 0;
    for (const [place, path] of paths.toString('latin1').split('\0').entries()) {
      const [mode = 0, size = 0] = numbers.subarray(STATE_NUMBERS * place);
      const other = more.get(place);
      const end = isFile(mode) && other === undefined ? at + DIGEST_BYTES : at;
      yield [path, { mode, rest: `${size} ${other ?? contents.toString('latin1', at, end)}` }];
      at = end;
    }
  }
}

interface State {
  /** Type and permissions. */
  readonly mode: number;
  readonly rest: string;
}

export interface FileChange {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'content' | 'mode';
}

function difference(was: State, is: State): FileChange['change'] | undefined {
  if (was.rest !== is.rest || typeOf(was.mode) !== typeOf(is.mode)) return 'content';
  return was.mode === is.mode ? undefined : 'mode';
}

function typeOf(mode: number): number {
  return mode & constants.S_IFMT;
}

function isFile(mode: number): boolean {
  return typeOf(mode) === constants.S_IFREG;
}

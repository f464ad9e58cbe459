/** Matches expressions of many `*` in time that grows with the length of the text, where a RegExp tries all combinations. */
import type { Part } from './ignore-regexp.js';

/** Each part that repeats raises the power of the text's length that a RegExp's time grows by. */
const MOST_FOR_REGEXP = 2;

/** @param parts from the beginning of the text to its end: they hold `^` and `$` themselves */
export function compileParts(parts: readonly Part[]): (text: string) => boolean {
  const steps = withoutRepetition(parts);
  const source = steps.map(sourceOf).join('');
  if (steps.filter(({ kind }) => kind !== 'once').length <= MOST_FOR_REGEXP) {
    const whole = new RegExp(source, 'u');
    return (text) => whole.test(text);
  }
  const moves = joined(steps).map(moveOf);
  return (text) => {
    // Where the parts so far may end; beyond the end of the text nothing is set.
    let reached: Reached = new Uint8Array(text.length + 1);
    reached[0] = 1;
    for (const move of moves) {
      reached = move(text, reached);
      if (!reached.includes(1)) return false;
    }
    return true;
  };
}

/** `1` at each index of the text, its end included, that may be reached. */
type Reached = Uint8Array<ArrayBuffer>;
type Move = (text: string, from: Reached) => Reached;

/** Any folders twice over are any folders. */
function withoutRepetition(parts: readonly Part[]): readonly Part[] {
  return parts.filter((part, index) => part.kind !== 'folders' || parts[index - 1]?.kind !== 'folders');
}

function sourceOf(part: Part): string {
  switch (part.kind) {
    case 'once':
      return part.source;
    case 'repeated':
      return `${part.source}*`;
    case 'folders':
      return '(?:[^\\n]*/)?';
  }
}

/** Neighbours that stand once become one part. */
function joined(parts: readonly Part[]): readonly Part[] {
  const all: Part[] = [];
  for (const part of parts) {
    const last = all.at(-1);
    if (part.kind === 'once' && last?.kind === 'once')
      all[all.length - 1] = { kind: 'once', source: last.source + part.source };
    else all.push(part);
  }
  return all;
}

function moveOf(part: Part): Move {
  switch (part.kind) {
    case 'once':
      return once(part.source);
    case 'repeated':
      return repeated(part.source);
    case 'folders':
      return folders;
  }
}

function once(source: string): Move {
  const here = new RegExp(source, 'uy');
  return (text, from) => {
    const to = new Uint8Array(from.length);
    for (let at = from.indexOf(1); at !== -1; at = from.indexOf(1, at + 1)) {
      here.lastIndex = at;
      if (here.test(text)) to[here.lastIndex] = 1;
    }
    return to;
  };
}

function repeated(source: string): Move {
  const one = new RegExp(source, 'uy');
  return (text, from) => {
    const to = from.slice();
    for (let at = to.indexOf(1); at !== -1; at = to.indexOf(1, at + 1)) {
      one.lastIndex = at;
      if (one.test(text)) to[one.lastIndex] = 1;
    }
    return to;
  };
}

function folders(text: string, from: Reached): Reached {
  const to = from.slice();
  let inside = false;
  for (let at = 0; at < text.length; at++) {
    if (from[at] === 1) inside = true;
    if (text[at] === '\n') inside = false;
    else if (inside && text[at] === '/') to[at + 1] = 1;
  }
  return to;
}

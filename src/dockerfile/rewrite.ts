/** Puts other text in the place of byte ranges of a Dockerfile; every other byte and every line number stays. */

export interface Replacement {
  /** Byte range `[start, end)`. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * @param replacements disjoint, in any order
 * @returns a new buffer; a line continuation inside a range stays, before the new text: behind it, a line
 * left empty would make the next instruction a part of this one
 */
export function redirect(content: Buffer, replacements: readonly Replacement[]): Buffer {
  const ascending = [...replacements].sort((one, other) => one.start - other.start);
  const parts: Buffer[] = [];
  let position = 0;
  for (const { start, end, text } of ascending) {
    if (start < position || end < start || end > content.length) {
      throw new RangeError(`bytes ${String(start)} to ${String(end)} overlap others or leave the file`);
    }
    const continuations = continuationsIn(content.toString('latin1', start, end));
    parts.push(
      content.subarray(position, start),
      Buffer.from(continuations, 'latin1'),
      Buffer.from(text, 'utf8'),
    );
    position = end;
  }
  parts.push(content.subarray(position));
  return Buffer.concat(parts);
}

/** What makes the lines of `written` one: escape characters before line breaks, and comment and empty lines between. */
function continuationsIn(written: string): string {
  const lines = written.split(/(?<=\n)/);
  const last = lines.at(-1)?.endsWith('\n') === true ? lines : lines.slice(0, -1);
  return last
    .map((line, index) =>
      index > 0 && /^\s*(?:#|$)/.test(line) ? line : (/.[ \t]*[\r\n]*$/.exec(line)?.[0] ?? line),
    )
    .join('');
}

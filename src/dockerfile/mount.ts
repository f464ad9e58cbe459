/** The options of `RUN --mount=`: one line of CSV, where a quoted field may hold commas. */
import { textOf, type Flag, type Glyph } from './flags.js';

/**
 * The value of the `from` option of a mount, the last one if there are several as in Docker; `undefined` if there is none or
 * the options are no CSV (then no builder takes them).
 */
export function mountSource(options: Flag): readonly Glyph[] | undefined {
  return mountFields(options).findLast(({ name, value }) => name === 'from' && value !== undefined)?.value;
}

export interface MountField {
  /** Lower case. */
  readonly name: string;
  /** What stands behind the `=`, if there is one. */
  readonly value: readonly Glyph[] | undefined;
  /** Whether it stands in the quotes of CSV. */
  readonly quoted: boolean;
}

/** In the order of the options; none if they are no CSV. */
export function mountFields(options: Flag): readonly MountField[] {
  return (fieldsOf(options) ?? []).map((field) => {
    const equals = field.findIndex((glyph) => glyph.character === '=');
    const last = field.at(-1);
    return {
      name: textOf(equals === -1 ? field : field.slice(0, equals)).toLowerCase(),
      value: equals === -1 ? undefined : field.slice(equals + 1),
      quoted: last !== undefined && options[options.indexOf(last) + 1]?.character === '"',
    };
  });
}

function fieldsOf(options: Flag): readonly (readonly Glyph[])[] | undefined {
  const fields: (readonly Glyph[])[] = [];
  for (let position = 0; position <= options.length; position++) {
    const quoted = options[position]?.character === '"';
    const field: Glyph[] = [];
    if (quoted) position++;
    for (; ; position++) {
      const glyph = options[position];
      if (quoted && glyph === undefined) return undefined;
      if (glyph === undefined || (!quoted && glyph.character === ',')) break;
      if (glyph.character === '"') {
        if (!quoted) return undefined;
        position++;
        const next = options[position]?.character;
        if (next === undefined || next === ',') break;
        if (next !== '"') return undefined;
      }
      field.push(glyph);
    }
    fields.push(field);
  }
  return fields;
}

/** The options of `RUN --mount=`: one line of CSV, where a quoted field may hold commas. */
import { textOf, type Flag, type Glyph } from './flags.js';

/**
 * The value of the `from` option of a mount, the last one if there are several as in Docker; `undefined` if there is none or
 * the options are no CSV (then no builder takes them).
 */
export function mountSource(options: Flag): readonly Glyph[] | undefined {
  let source: readonly Glyph[] | undefined;
  for (const field of fieldsOf(options) ?? []) {
    const equals = field.findIndex((glyph) => glyph.character === '=');
    if (equals !== -1 && textOf(field.slice(0, equals)).toLowerCase() === 'from')
      source = field.slice(equals + 1);
  }
  return source;
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

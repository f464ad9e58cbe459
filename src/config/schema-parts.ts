/** What schemas of the build file are made of: texts, switches, lists and mappings, as they are checked and as editors see them. */
import { z } from 'zod';

/** What editors see where it differs from what is checked: they read `1.10` as a number, we as its source text. */
export const editorShapes = z.registry<{ readonly shape: () => JsonSchema }>();
export type JsonSchema = z.core.JSONSchema.BaseSchema;

const SCALAR = ['string', 'number', 'boolean'] as const;
export const TRUE = ['true', 'yes', 'on', 'y'];
/** An empty text means the same. */
export const FALSE = ['false', 'no', 'off', 'n', ''];

export const text = z.string().register(editorShapes, { shape: () => ({ type: [...SCALAR] }) });

/** An empty value is an empty text. */
export const looseText = z
  .preprocess((value) => value ?? '', z.string())
  .register(editorShapes, { shape: () => ({ type: [...SCALAR, 'null'] }) });

export const flagShape: JsonSchema = { enum: [true, false, ...['true', 'false', 'yes', 'no', 'on', 'off']] };

/** YAML 1.1 took all of these for booleans, and files of old rely on it. */
export function parseFlag(value: string, context: z.core.$RefinementCtx, hint?: string): boolean {
  const word = value.toLowerCase();
  if (TRUE.includes(word)) return true;
  if (FALSE.includes(word)) return false;
  context.addIssue({ code: 'custom', message: `must be true or false, not "${value}"`, params: { hint } });
  return z.NEVER;
}

/** An empty text is no answer. */
export const flag = z
  .string()
  .transform((value, context) => (value === '' ? null : parseFlag(value, context)))
  .register(editorShapes, { shape: () => flagShape });

/** A list whose only item may stand alone. */
export function list<Item extends z.ZodType>(item: Item) {
  return z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(item))
    .register(editorShapes, {
      shape: () => ({ anyOf: [{ type: 'array', items: inEditors(item) }, inEditors(item)] }),
    });
}

/** Where an empty text says that the key is not given. */
export function unlessEmpty<Value extends z.ZodType>(value: Value) {
  return z
    .preprocess((given) => (given === '' ? null : given), value.nullish())
    .register(editorShapes, { shape: () => inEditors(value) });
}

/** A mapping with keys of the user's choice: a Map, in which `__proto__` is a key like any other. */
export function keyed<Value extends z.ZodType>(value: Value) {
  return z
    .preprocess(
      (given) =>
        typeof given === 'object' && given !== null && !Array.isArray(given)
          ? new Map(Object.entries(given))
          : given,
      z.map(z.string(), value),
    )
    .register(editorShapes, {
      shape: () => ({ type: 'object', additionalProperties: inEditors(value) }),
    });
}

/** As JSON Schema. */
export function inEditors(schema: z.core.$ZodType): JsonSchema {
  const shape = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const own = editorShapes.get(zodSchema);
      if (own === undefined) return;
      const { description } = jsonSchema;
      for (const key of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, key);
      Object.assign(jsonSchema, own.shape(), description !== undefined && { description });
    },
  });
  delete shape.$schema;
  return shape;
}

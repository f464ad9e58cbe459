/** The shape of a build file, in one place: checking, types and the JSON Schema for editors all come from here. */
import { z } from 'zod';
import { SCHEMA_VERSIONS, type SquashScope } from '../core/plan.js';
import { parseArtifact } from './artifact.js';

/** What editors see where it differs from what is checked: they read `1.10` as a number, we as its source text. */
const editorShapes = z.registry<{ readonly shape: () => JsonSchema }>();
export type JsonSchema = z.core.JSONSchema.BaseSchema;

const SCALAR = ['string', 'number', 'boolean'] as const;
const TRUE = ['true', 'yes', 'on', 'y'];
const FALSE = ['false', 'no', 'off', 'n', ''];

const text = z.string().register(editorShapes, { shape: () => ({ type: [...SCALAR] }) });

/** An empty value is an empty text. */
const looseText = z
  .preprocess((value) => value ?? '', z.string())
  .register(editorShapes, { shape: () => ({ type: [...SCALAR, 'null'] }) });

const flagShape: JsonSchema = { enum: [true, false, ...['true', 'false', 'yes', 'no', 'on', 'off']] };

/** YAML 1.1 took all of these for booleans, and files of old rely on it. */
function parseFlag(value: string, context: z.core.$RefinementCtx, hint?: string): boolean {
  const word = value.toLowerCase();
  if (TRUE.includes(word)) return true;
  if (FALSE.includes(word)) return false;
  context.addIssue({ code: 'custom', message: `must be true or false, not "${value}"`, params: { hint } });
  return z.NEVER;
}

const flag = z
  .string()
  .transform((value, context) => parseFlag(value, context))
  .register(editorShapes, { shape: () => flagShape });

/** A list whose only item may stand alone. */
function list<Item extends z.ZodType>(item: Item) {
  return z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(item))
    .register(editorShapes, {
      shape: () => ({ anyOf: [{ type: 'array', items: inEditors(item) }, inEditors(item)] }),
    });
}

/** A mapping with keys of the user's choice: a Map, in which `__proto__` is a key like any other. */
function keyed<Value extends z.ZodType>(value: Value) {
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

const artifact = text
  .transform((written, context) => {
    const parsed = parseArtifact(written);
    if (parsed.kind === 'artifact') return parsed.artifact;
    context.addIssue({ code: 'custom', message: parsed.message, params: { hint: parsed.hint } });
    return z.NEVER;
  })
  .register(editorShapes, { shape: () => inEditors(text) });

const secret = z.strictObject({
  type: z.enum(['file', 'env']).describe('file: the content of a file; env: the variable HABITUS_ + value'),
  value: text.describe('A path (file), or the part of the variable name after HABITUS_ (env)'),
});

/** Docker runs the image's own command where a list is empty: what nobody asked for. */
const programWithArguments = z.array(text).superRefine(([program = ''], context) => {
  if (program !== '') return;
  const hint = 'begin it with a program of the image, e.g. [/bin/rm, -rf, /tmp/x]';
  context.addIssue({ code: 'custom', message: 'names no program', params: { hint } });
});

const noNetwork = z
  .string()
  .transform((value, context) => {
    if (value === '') return null;
    if (value === 'none') return value;
    const hint = 'leave it out for the network of RUN';
    context.addIssue({ code: 'custom', message: `must be none, not "${value}"`, params: { hint } });
    return z.NEVER;
  })
  .register(editorShapes, { shape: () => ({ enum: ['none'] }) });

const cleanup = z.strictObject({
  commands: z
    .array(z.union([text, programWithArguments]))
    .nullish()
    .describe("Run in the image before it is squashed: a text by the image's SHELL, a list as it is"),
  user: text
    .nullish()
    .describe("Whom the commands run as; default: the image's USER; since version 2026-11-22"),
  network: noNetwork
    .nullish()
    .describe('none: no network for the commands; default: that of RUN; since version 2026-11-22'),
});

const SQUASH_SCOPES = ['base', 'scratch'] as const satisfies readonly SquashScope[];

const squashMapping = z.strictObject({
  from: z.enum(SQUASH_SCOPES).describe("base: above the FROM of the step's last stage; scratch: everything"),
});

/** An empty text must not mean false here: that would leave in the image what cleanup removes. */
const squash = z
  .union([
    z.string().transform((value, context) => {
      if (value === '') return null;
      return parseFlag(value, context, 'write "true", "false", "{ from: base }" or "{ from: scratch }"');
    }),
    squashMapping.transform(({ from }) => from),
  ])
  .register(editorShapes, { shape: () => ({ anyOf: [flagShape, inEditors(squashMapping)] }) });

export const stepSchema = z.strictObject({
  name: text.describe('The image that the step builds: NAME[:TAG]'),
  context: text
    .nullish()
    .describe('The context folder, relative to the work directory; default: the work directory'),
  dockerfile: text.nullish().describe('Relative to the context; default: Dockerfile'),
  target: text.nullish().describe('The stage to stop at; default: the last'),
  args: keyed(looseText).nullish().describe('Build args of this step'),
  no_cache: flag.nullish().describe('Build without the cache'),
  secrets: keyed(secret).nullish().describe('Secrets that the step may ask for; since version 2016-03-14'),
  artifacts: list(artifact)
    .nullish()
    .describe('SOURCE[:DEST]: what dependents get; SOURCE in the image, DEST a folder in their contexts'),
  cleanup: cleanup.nullish().describe('What must not stay in the image'),
  squash: squash
    .nullish()
    .describe('Make one layer of all above the base; default: with cleanup; since version 2026-11-22'),
  depends_on: list(text).nullish().describe('Labels or image names of the steps to wait for'),
  command: text.nullish().describe("Run in a container of the step's image after it is built"),
  after_build_command: text.nullish().describe('Run on the host; only with --after-build-commands'),
  keep: flag.nullish().describe('Whether the image stays; default: unless another step uses it'),
});

/** One step as checked; absent, `null` and (but for args) empty texts all mean that a key is not given. */
export type StepConfig = z.output<typeof stepSchema>;

/** A step of which only the sound keys are left, after the others were reported. */
export const partialStepSchema = stepSchema.partial();
export type PartialStepConfig = z.output<typeof partialStepSchema>;

const version = z.enum(SCHEMA_VERSIONS).describe('Version of the format');

/** Steps are checked one by one with {@link stepSchema}, so that all of them are even when one is wrong. */
export const fileSchema = z.strictObject({
  build: z.strictObject({
    version,
    work_dir: text.nullish().describe('Without effect, and always was: use -d'),
    steps: keyed(z.unknown())
      .describe('The steps by their labels')
      .register(editorShapes, {
        shape: () => {
          const steps = { type: 'object', additionalProperties: inEditors(stepSchema) } as const;
          return { anyOf: [steps, { type: 'array', items: { type: 'object' } }] };
        },
      }),
  }),
});

/** The keys that the mapping at this path of a build file may have; none where the user chooses them. */
export function knownKeys(path: readonly (string | number)[]): readonly string[] {
  const [, , , key] = path;
  switch (path.length) {
    case 0:
      return Object.keys(fileSchema.shape);
    case 1:
      return Object.keys(fileSchema.shape.build.shape);
    case 3:
      return Object.keys(stepSchema.shape);
    case 4:
      if (key === 'squash') return Object.keys(squashMapping.shape);
      return key === 'cleanup' ? Object.keys(cleanup.shape) : [];
    case 5:
      return key === 'secrets' ? Object.keys(secret.shape) : [];
    default:
      return [];
  }
}

/** docs/build.schema.json, by which editors complete and check build files. */
export function editorSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Build file of Habitus',
    ...inEditors(fileSchema),
  };
}

function inEditors(schema: z.core.$ZodType): JsonSchema {
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

/** The shape of a build file, in one place: checking, types and the JSON Schema for editors all come from here. */
import { z } from 'zod';
import { DURATION_GRAMMAR, parseDuration } from '../core/duration.js';
import { SCHEMA_VERSIONS, type SquashScope } from '../core/plan.js';
import { parseArtifact } from './artifact.js';
import {
  editorShapes,
  flag,
  flagShape,
  inEditors,
  keyed,
  list,
  looseText,
  parseFlag,
  text,
  unlessEmpty,
  type JsonSchema,
} from './schema-parts.js';
import { buildSecrets, secretKeys, ssh, stepSecrets } from './secret-schema.js';

const artifact = text
  .transform((written, context) => {
    const parsed = parseArtifact(written);
    if (parsed.kind === 'artifact') return parsed.artifact;
    context.addIssue({ code: 'custom', message: parsed.message, params: { hint: parsed.hint } });
    return z.NEVER;
  })
  .register(editorShapes, { shape: () => inEditors(text) });

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

/** An empty text is no way to leave it out: a limit must not vanish with the variable that was to give it. */
const timeout = z
  .string()
  .transform((written, context) => {
    const ms = parseDuration(written);
    if (ms !== undefined) return ms;
    const message = `must be ${DURATION_GRAMMAR}, not "${written}"`;
    context.addIssue({ code: 'custom', message, params: { hint: 'leave it out for no limit' } });
    return z.NEVER;
  })
  .register(editorShapes, { shape: () => ({ type: 'string' }) });

export const stepSchema = z.strictObject({
  name: text.describe('The image that the step builds: NAME[:TAG]'),
  context: text
    .nullish()
    .describe('The context folder, relative to the work directory; default: the work directory'),
  dockerfile: text.nullish().describe('Relative to the context; default: Dockerfile'),
  target: text.nullish().describe('The stage to stop at; default: the last'),
  args: keyed(looseText).nullish().describe('Build args of this step'),
  no_cache: flag.nullish().describe('Build without the cache'),
  secrets: stepSecrets.nullish().describe('Secrets that the step may ask for; since version 2016-03-14'),
  ssh: ssh
    .nullish()
    .describe('What --mount=type=ssh may use: true, or as docker build --ssh; since version 2026-11-22'),
  artifacts: unlessEmpty(list(artifact))
    .nullish()
    .describe('SOURCE[:DEST]: what dependents get; SOURCE in the image, DEST a folder in their contexts'),
  cleanup: cleanup.nullish().describe('What must not stay in the image'),
  squash: squash
    .nullish()
    .describe('Make one layer of all above the base; default: with cleanup; since version 2026-11-22'),
  depends_on: unlessEmpty(list(text)).nullish().describe('Labels or image names of the steps to wait for'),
  command: text.nullish().describe("Run in a container of the step's image after it is built"),
  command_cache: flag
    .nullish()
    .describe('Leave the command out where it succeeded in the same image before; since version 2026-11-22'),
  after_build_command: text.nullish().describe('Run on the host; only with --after-build-commands'),
  timeout: timeout
    .nullish()
    .describe(
      'How long the step may work, such as 10m or 1h30m; default: no limit; since version 2026-11-22',
    ),
  keep: flag.nullish().describe('Whether the image stays; default: unless another step uses it'),
});

/** One step as checked; absent, `null` and (but for args, cleanup and timeout) empty texts all mean that a key is not given. */
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
    secrets: buildSecrets
      .nullish()
      .describe('Secrets that steps may ask for by their names; since version 2026-11-22'),
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
      return path[1] === 'secrets' ? secretKeys : Object.keys(stepSchema.shape);
    case 4:
      if (key === 'squash') return Object.keys(squashMapping.shape);
      return key === 'cleanup' ? Object.keys(cleanup.shape) : [];
    case 5:
      return key === 'secrets' ? secretKeys : [];
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

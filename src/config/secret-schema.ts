/** The shape of `secrets` and `ssh` in a build file. */
import { z } from 'zod';
import type { SecretSpec } from '../core/plan.js';
import { editorShapes, FALSE, flagShape, inEditors, keyed, list, text, TRUE } from './schema-parts.js';

/** Where a secret comes from: a path as written, the whole name of a variable, or a command line. */
export type SecretConfig = Pick<SecretSpec, 'type' | 'value'>;

export const SECRET_FORMS = 'write { env: NAME } or { file: PATH }';

const filled = text.superRefine((value, context) => {
  if (value === '') context.addIssue({ code: 'custom', message: 'is empty' });
});

/** Who writes `_env(TOKEN)` here gives the value away where a name is shown: so it is not quoted either. */
const variable = filled.superRefine((value, context) => {
  if (value === '' || /^[A-Za-z_]\w*$/.test(value)) return;
  const hint = 'write the name alone, such as { env: NPM_TOKEN }, without "$" and "_env()"';
  context.addIssue({ code: 'custom', message: 'is not the name of a variable', params: { hint } });
});

const forms = {
  type: z.enum(['file', 'env']).describe('file: the content of a file; env: the variable HABITUS_ + value'),
  value: filled.describe('A path (file), or the part of the variable name after HABITUS_ (env)'),
  env: variable.describe('The name of a variable; since version 2026-11-22'),
  file: filled.describe(
    'A path, relative to the work directory; "~/" is the home folder; since version 2026-11-22',
  ),
  command: filled.describe('Prints the value; only with --allow-secret-commands; since version 2026-11-22'),
};
const { type, value, env, file, command } = forms;

export const secretKeys: readonly string[] = Object.keys(forms);

/** One form only: a union of them would tell of a slip in one what is wrong in the others. */
export const secret = z
  .strictObject(forms)
  .partial()
  .transform((given, context): SecretConfig => {
    // Of an unknown key; what may be missing beside it is most often that key, misspelt.
    if (context.issues.length > 0) return z.NEVER;
    const [found, ...more] = Object.entries(given).filter(
      ([key]) => key !== 'value' || given.type === undefined,
    );
    const refuse = (message: string, hint: string): never => {
      context.addIssue({ code: 'custom', message, params: { hint } });
      return z.NEVER;
    };
    if (more.length > 0) {
      const keys = [found, ...more].map((entry) => `"${entry?.[0] ?? ''}"`).join(' and ');
      return refuse(`has ${keys}`, 'keep one of them: a secret has one source');
    }
    if (given.env !== undefined) return { type: 'env', value: given.env };
    if (given.file !== undefined) return { type: 'file', value: given.file };
    if (given.command !== undefined) return { type: 'command', value: given.command };
    if (given.type === undefined) {
      if (given.value === undefined) return refuse('does not say where its value comes from', SECRET_FORMS);
      context.addIssue({ code: 'custom', message: 'is missing', path: ['type'] });
      return z.NEVER;
    }
    if (given.value === undefined) {
      context.addIssue({ code: 'custom', message: 'is missing', path: ['value'] });
      return z.NEVER;
    }
    return { type: given.type, value: given.type === 'env' ? `HABITUS_${given.value}` : given.value };
  })
  .register(editorShapes, {
    shape: () => ({
      anyOf: [{ type, value }, { env }, { file }, { command }].map((form) => inEditors(z.strictObject(form))),
    }),
  });

/** Those of the whole build. */
export const buildSecrets = keyed(secret);

/** Those of a step: its own, and with `null` or in a list the names of those of the whole build. */
export const stepSecrets = z
  .union([
    z.preprocess((given) => (typeof given === 'string' ? [given].filter(Boolean) : given), z.array(text)),
    keyed(secret.nullable()),
  ])
  .register(editorShapes, {
    shape: () => ({ anyOf: [inEditors(list(text)), inEditors(keyed(secret.nullable()))] }),
  });

export interface SshConfig {
  readonly id: string;
  /** As written. */
  readonly paths: readonly string[];
}

/** As `docker build --ssh` takes it: `ID`, or `ID=PATH[,PATH]`. */
function parseSsh(written: string, context: z.core.$RefinementCtx): SshConfig {
  const [id = ''] = written.split('=', 1);
  const paths = written === id ? [] : written.slice(id.length + 1).split(',');
  const fault = sshFault(id, paths);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, params: { hint: SSH_FORMS } });
  return { id, paths };
}

const SSH_FORMS = 'write "default", "ID=SOCKET" or "ID=KEY,KEY"';

/** `--mount=type=ssh,id=` ends at a comma. */
function sshFault(id: string, paths: readonly string[]): string | undefined {
  if (id === '') return 'has no ID';
  if (id.includes(',')) return 'has a "," in its ID';
  return paths.includes('') ? 'has an empty path' : undefined;
}

const sshWord = z.string().transform((written, context): readonly SshConfig[] => {
  const word = written.toLowerCase();
  if (TRUE.includes(word)) return [{ id: 'default', paths: [] }];
  return FALSE.includes(word) ? [] : [parseSsh(written, context)];
});

const sshList = z.array(text.transform(parseSsh)).superRefine((all, context) => {
  all.forEach(({ id }, index) => {
    if (all.findIndex((other) => other.id === id) === index) return;
    const hint = 'give all its keys in one item: ID=KEY,KEY';
    context.addIssue({ code: 'custom', message: `repeats the ID "${id}"`, path: [index], params: { hint } });
  });
});

const sshMapping = keyed(list(text).nullable());

export const ssh = z
  .union([
    sshWord,
    sshList,
    sshMapping.transform((given, context) =>
      Array.from(given, ([id, paths]): SshConfig => {
        const fault = sshFault(id, paths ?? []);
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, path: [id] });
        return { id, paths: paths ?? [] };
      }),
    ),
  ])
  .register(editorShapes, {
    shape: () => ({ anyOf: [flagShape, inEditors(list(text)), inEditors(sshMapping)] }),
  });

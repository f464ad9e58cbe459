/** Plans of random steps, written as build files and loaded again. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type {
  CleanupSpec,
  PlannedBase,
  PlannedDockerfile,
  PlannedStep,
  SecretSpec,
  SquashScope,
  SshSpec,
} from '../../src/core/plan.js';
import { loadPlan } from '../../src/config/load.js';
import { options, project } from './config-project.js';

const label = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
    fc.constantFrom('__proto__', 'constructor', 'toString'),
  )
  .filter((text) => !/\p{Cc}|_env\(/u.test(text));
const value = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !text.includes('_env('));
const filled = value.filter((text) => text !== '');
const list = fc.tuple(filled, fc.array(value, { maxLength: 2 })).map(([program, rest]) => [program, ...rest]);
const path = fc.array(
  fc.stringMatching(/^[a-z. -]{1,6}$/).filter((name) => !/^\.{1,2}$/.test(name)),
  { minLength: 1, maxLength: 3 },
);

interface Draft {
  readonly label: string;
  readonly needs: readonly number[];
  readonly args: readonly (readonly [string, string])[];
  readonly artifacts: readonly { readonly source: string; readonly destination: string }[];
  readonly cleanup: CleanupSpec;
  readonly squash: false | SquashScope | undefined;
  /** A step by its index. */
  readonly base: Exclude<PlannedBase, { kind: 'step' }> | { readonly kind: 'step'; readonly of: number };
  readonly throughStage: boolean;
  readonly secrets: readonly SecretSpec[];
  readonly ssh: readonly SshSpec[];
  readonly noCache: boolean;
  readonly keep: boolean;
  readonly command: string | undefined;
  readonly target: string | undefined;
}

const drafts: fc.Arbitrary<readonly Draft[]> = fc
  .uniqueArray(label, { minLength: 1, maxLength: 6 })
  .chain((labels) =>
    fc.tuple(
      ...labels.map((name, index) =>
        fc.record({
          label: fc.constant(name),
          needs: fc.subarray(labels.slice(0, index).map((_, of) => of)),
          args: fc.uniqueArray(fc.tuple(label, value), { maxLength: 3, selector: ([key]) => key }),
          artifacts: fc.array(
            fc.record({
              source: path.map((parts) => `/${parts.join('/')}`),
              destination: fc.option(path, { nil: [] }).map((parts) => parts.join('/')),
            }),
            { maxLength: 3 },
          ),
          cleanup: fc.record(
            {
              commands: fc.array(fc.oneof(filled, list), { maxLength: 3 }),
              user: filled,
              network: fc.constant('none' as const),
            },
            { requiredKeys: ['commands'] },
          ),
          squash: fc.constantFrom(undefined, false as const, 'base' as const, 'scratch' as const),
          base: fc.oneof(
            fc.constant({ kind: 'scratch' } as const),
            fc.constant({ kind: 'image', reference: 'debian:12' } as const),
            ...(index === 0 ? [] : [fc.nat(index - 1).map((of) => ({ kind: 'step', of }) as const)]),
          ),
          throughStage: fc.boolean(),
          secrets: fc
            .uniqueArray(
              fc.record({
                name: label.filter((text) => !text.includes('/') && !/^\.{1,2}$/.test(text)),
                source: fc.oneof(
                  fc.record({
                    type: fc.constant('file' as const),
                    value: path.map((parts) => `/${parts.join('/')}`),
                  }),
                  fc.record({ type: fc.constant('env' as const), value: fc.stringMatching(/^[A-Z_]{1,8}$/) }),
                  fc.record({ type: fc.constant('command' as const), value: filled }),
                ),
              }),
              { maxLength: 2, selector: (secret) => secret.name },
            )
            .map((all) => all.map(({ name: of, source }) => ({ name: of, ...source }))),
          ssh: fc.uniqueArray(
            fc.record({
              id: fc.stringMatching(/^[a-z.]{1,6}$/),
              sources: fc.array(
                path.map((parts) => `/${parts.join('/')}`),
                { maxLength: 2 },
              ),
            }),
            { maxLength: 2, selector: ({ id }) => id },
          ),
          noCache: fc.boolean(),
          keep: fc.boolean(),
          command: fc.option(filled, { nil: undefined }),
          // Any other word has to be a stage.
          target: fc.option(fc.nat().map(String), { nil: undefined }),
        }),
      ),
    ),
  );

/** Maps, because an object would not keep the order of labels such as `10`, nor `__proto__`. */
function written(all: readonly Draft[]): string {
  const stepMap = new Map(
    all.map((draft, index) => [
      draft.label,
      {
        name: `image-${String(index)}`,
        dockerfile: `${String(index)}.df`,
        args: new Map(draft.args),
        artifacts: draft.artifacts.map(({ source, destination }) =>
          destination === '' ? source : `${source}:${destination}`,
        ),
        cleanup: draft.cleanup,
        ...(draft.squash !== undefined && { squash: draft.squash !== false && { from: draft.squash } }),
        secrets: new Map(draft.secrets.map((secret) => [secret.name, { [secret.type]: secret.value }])),
        ssh: draft.ssh.map(({ id, sources }) => [id, sources.join(',')].filter(Boolean).join('=')),
        depends_on: draft.needs.map((of) => all[of]?.label),
        no_cache: draft.noCache,
        keep: draft.keep,
        ...(draft.command !== undefined && { command: draft.command, command_cache: draft.keep }),
        ...(draft.target !== undefined && { target: draft.target }),
      },
    ]),
  );
  return stringify({ build: { version: '2026-11-22', steps: stepMap } });
}

/** A stage name that no target is equal to: targets are shorter. */
const STAGE = 'another-stage-of-the-file';

function imageOf(base: Draft['base']): string {
  switch (base.kind) {
    case 'scratch':
      return 'scratch';
    case 'image':
      return base.reference;
    case 'step':
      return `image-${String(base.of)}`;
  }
}

function dockerfileOf({ base, throughStage }: Draft): string {
  const image = imageOf(base);
  return throughStage ? `FROM ${image} AS ${STAGE}\nFROM ${STAGE}\n` : `FROM ${image}\n`;
}

/** What comes of the keys about the finished image. */
function plannedAfterBuild({ cleanup, squash }: Draft): Pick<PlannedStep, 'cleanup' | 'squash'> {
  const cleans = cleanup.commands.length > 0;
  const scope = squash ?? (cleans && 'base');
  return { ...(cleans && { cleanup }), ...(scope !== false && { squash: scope }) };
}

/** What comes of FROM and depends_on. */
function plannedOn(
  { base, needs }: Draft,
  labelOf: (index: number) => string,
): Pick<PlannedStep, 'base' | 'dependsOn'> & Pick<PlannedDockerfile, 'references'> {
  if (base.kind !== 'step') return { base, dependsOn: needs.map(labelOf), references: [] };
  const label = labelOf(base.of);
  const start = 'FROM '.length;
  return {
    base: { kind: 'step', label },
    dependsOn: [...new Set([...needs, base.of])].toSorted((a, b) => a - b).map(labelOf),
    references: [{ start, end: start + imageOf(base).length, label }],
  };
}

/** Objects put keys that look like numbers first; the order of args and secrets means nothing. */
function sorted<Item>(items: readonly Item[]): readonly Item[] {
  return items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

test('a plan written as YAML is the same plan when it is loaded', async () => {
  const folder = await project({});
  await fc.assert(
    fc.asyncProperty(drafts, async (all) => {
      await writeFile(join(folder, 'build.yml'), written(all));
      for (const [index, draft] of all.entries())
        await writeFile(join(folder, `${String(index)}.df`), dockerfileOf(draft));
      const { plan } = await loadPlan(
        options(folder, { secrets: { providers: ['file', 'env'], allowCommands: true } }),
      );
      expect(
        plan.steps.map((step) => ({
          ...step,
          args: sorted(Object.entries(step.args)),
          secrets: sorted(step.secrets),
        })),
      ).toEqual(
        all.map((draft, index) => {
          const { base, dependsOn, references } = plannedOn(draft, (of) => all[of]?.label ?? '');
          return {
            label: draft.label,
            imageName: `image-${String(index)}:latest`,
            dependsOn,
            context: folder,
            dockerfile: {
              path: join(folder, `${String(index)}.df`),
              content: Buffer.from(dockerfileOf(draft)),
              references,
            },
            args: sorted(draft.args),
            noCache: draft.noCache,
            artifacts: draft.artifacts,
            base,
            ...plannedAfterBuild(draft),
            secrets: sorted(draft.secrets),
            ssh: draft.ssh,
            ...(draft.command !== undefined && { command: draft.command }),
            commandCache: draft.command !== undefined && draft.keep,
            ...(draft.target !== undefined && { target: draft.target }),
            keep: draft.keep,
          };
        }),
      );
    }),
    { numRuns: 60 },
  );
});

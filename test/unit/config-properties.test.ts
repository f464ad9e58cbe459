import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/diagnostic.js';
import { loadPlan } from '../../src/config/load.js';
import { renderDiagnostic } from '../../src/config/render.js';
import { options, project, steps } from './config-project.js';

/** A plan, or diagnostics that can be shown; anything else fails the test. */
async function survives(folder: string, content: string | Buffer): Promise<void> {
  await writeFile(join(folder, 'build.yml'), content);
  try {
    await loadPlan(options(folder));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.diagnostics.length).toBeGreaterThan(0);
    for (const found of error.diagnostics) {
      expect(renderDiagnostic(found, { color: false, cwd: folder })).toMatch(/: error: \S/);
    }
  }
}

test('any bytes are a plan or diagnostics', async () => {
  const folder = await project({});
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), (bytes) => survives(folder, Buffer.from(bytes))),
    { numRuns: 120 },
  );
});

test('any text of characters that mean something in YAML is a plan or diagnostics', async () => {
  const folder = await project({});
  const piece = fc.constantFrom(
    ...Array.from(':-?[]{},#&*!|>\'"%@` \n\t~<='),
    ...[
      '\n  ',
      '\n    ',
      '- ',
      ': ',
      'a',
      'build:',
      'version: 2016-03-14',
      'steps:',
      'name: x',
      'depends_on: ',
      '<<: *a',
    ],
    ...[
      '&a ',
      '*a',
      '_env(',
      '_env(X)',
      ')',
      '---\n',
      '...\n',
      '!!str ',
      '!x ',
      'null',
      'true',
      '1.10',
      '"',
      '\r\n',
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 60 }), (pieces) => survives(folder, pieces.join(''))),
    { numRuns: 250 },
  );
});

test('a good file with any stretch of it replaced is a plan or diagnostics', async () => {
  const folder = await project({});
  const good = steps(`
a: &a
  name: app
  args: { A: "1", B: _env(HOME:-x) }
  secrets: { k: { type: env, value: K } }
  artifacts: [/a, '/b:c']
  cleanup: { commands: [x, [y, z]] }
b: { <<: *a, name: other, depends_on: [a], no_cache: true, keep: no }
`);
  const edit = fc.tuple(fc.nat(good.length), fc.nat(20), fc.string({ maxLength: 8 }));
  await fc.assert(
    fc.asyncProperty(edit, ([at, length, text]) =>
      survives(folder, good.slice(0, at) + text + good.slice(at + length)),
    ),
    { numRuns: 250 },
  );
});

test('a thousand steps, each with a Dockerfile of its own, and a chain of two thousand are planned', async () => {
  const many = Array.from({ length: 1000 }, (_, index) => index);
  const folder = await project({
    'build.yml': steps(
      many
        .map((index) => `s${String(index)}: { name: n${String(index)}, dockerfile: ${String(index)}.df }`)
        .join('\n'),
    ),
    ...Object.fromEntries(
      many.map((index) => [
        `${String(index)}.df`,
        index === 0 ? 'FROM scratch\n' : `FROM n${String(index - 1)}\n`,
      ]),
    ),
  });
  const { plan } = await loadPlan(options(folder));
  expect(plan.steps.map((step) => step.label)).toEqual(many.map((index) => `s${String(index)}`));
  const count = 2_000;
  const chain = Array.from({ length: count }, (_, index) =>
    index + 1 === count
      ? `s${String(index)}: { name: n${String(index)} }`
      : `s${String(index)}: { name: n${String(index)}, depends_on: s${String(index + 1)} }`,
  );
  await writeFile(join(folder, 'build.yml'), steps(chain.join('\n')));
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\n');
  const deep = await loadPlan(options(folder));
  expect(deep.plan.steps[0]?.label).toBe(`s${String(count - 1)}`);
});

/** Small projects on disk for the tests of src/config, removed when their test ends. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { PlannedStep } from '../../src/core/plan.js';
import { ConfigError } from '../../src/config/diagnostic.js';
import { loadPlan, type LoadedPlan, type LoadOptions } from '../../src/config/load.js';
import { renderDiagnostic } from '../../src/config/render.js';

export type Files = Readonly<Record<string, string | Buffer>>;

/** A new folder with these files, and a `Dockerfile` unless there is one. */
export async function project(files: Files): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'habitus-config-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries({ Dockerfile: 'FROM scratch\n', ...files })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

export function options(workDirectory: string, overrides: Partial<LoadOptions> = {}): LoadOptions {
  return {
    workDirectory,
    env: { source: 'process', variables: new Map() },
    allowUnsetEnv: false,
    buildArgs: new Map(),
    noCache: false,
    noCleanup: false,
    keepAll: false,
    allowAfterBuildCommands: false,
    secrets: { providers: ['file', 'env'], allowCommands: false },
    home: '/home/me',
    ...overrides,
  };
}

/** Load a project; a lone text is its build.yml. */
export async function load(files: Files | string, overrides?: Partial<LoadOptions>): Promise<LoadedPlan> {
  const folder = await project(typeof files === 'string' ? { 'build.yml': files } : files);
  return loadPlan(options(folder, overrides));
}

/** The only step of a project. */
export async function loadStep(
  files: Files | string,
  overrides?: Partial<LoadOptions>,
): Promise<PlannedStep> {
  const { plan } = await load(files, overrides);
  const [step, ...others] = plan.steps;
  if (step === undefined || others.length > 0) throw new Error(`${String(plan.steps.length)} steps`);
  return step;
}

/** All problems of a project as users read them, with `.` for its folder. */
export async function problemsOf(files: Files | string, overrides?: Partial<LoadOptions>): Promise<string> {
  const folder = await project(typeof files === 'string' ? { 'build.yml': files } : files);
  try {
    await loadPlan(options(folder, overrides));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.diagnostics
      .map((found) => renderDiagnostic(found, { color: false, cwd: folder }))
      .join('\n')
      .replaceAll(folder, '.');
  }
  return '';
}

/** A build file of the newest version with these lines below `steps:`. */
export function newestSteps(lines: string): string {
  return steps(lines).replace('2016-03-14', '2026-11-22');
}

/** A build file of the version of 2016-03-14 with these lines below `steps:`. */
export function steps(lines: string): string {
  const indented = lines
    .replace(/^\n/, '')
    .split('\n')
    .map((line) => (line === '' ? '' : `    ${line}`));
  return `build:\n  version: 2016-03-14\n  steps:\n${indented.join('\n')}\n`;
}

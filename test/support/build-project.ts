/** Projects for tests of whole builds: small folders with names of their own, and what they look like byte for byte. */
import { createHash, randomBytes } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { EngineName } from '../../src/lab/catalogue.js';
import { atEnd } from './build-cleanup.js';
import { engines, type TestEngine } from './engines.js';
import { Images, TEST_LABEL } from './images.js';

export interface Subject {
  /** For `describe.each(subjects())('$name', …)`: e.g. `e28 buildkit`. */
  readonly name: string;
  readonly engine: TestEngine;
  readonly builder: 'classic' | 'buildkit';
}

/** Every engine with each of its builders. */
export function subjects(): readonly Subject[] {
  return engines().flatMap((engine) =>
    engine.builders.map((builder) => ({ name: `${engine.name} ${builder}`, engine, builder })),
  );
}

/**
 * Each engine with one of its builders, for what the program does in the same way with both: all pairs would double the time. With
 * `HABITUS_SUBJECTS=all` they are those of `subjects`.
 * @param classicOn the engine whose classic builder is taken
 */
export function someSubjects(classicOn: EngineName): readonly Subject[] {
  if (process.env['HABITUS_SUBJECTS'] === 'all') return subjects();
  return engines().flatMap(({ name }) => {
    const having = subjects().filter(({ engine }) => engine.name === name);
    const wanted = name === classicOn ? 'classic' : 'buildkit';
    return having.find(({ builder }) => builder === wanted) ?? having.slice(0, 1);
  });
}

export interface Project {
  readonly directory: string;
  /** Unique: the test's label and a part of its image names. */
  readonly id: string;
  readonly images: Images;
  /** `habitus.invalid/<id>/<step>:latest` */
  readonly name: (step: string) => string;
}

/** `@` in a build file or Dockerfile stands for the project's name prefix, `LABELLED` for the test's label. */
export type Files = Readonly<Record<string, string>>;

/**
 * Write a project; it and its images are removed after the file's tests.
 * @param files by path; `@x` in them becomes the project's image name `habitus.invalid/<id>/x`, `LABELLED` a LABEL instruction
 */
export async function project(engine: TestEngine, files: Files): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'habitus-project-'));
  const id = randomBytes(6).toString('hex');
  const images = new Images(engine);
  atEnd(async () => {
    await images.clear(id);
    await rm(directory, { recursive: true, force: true });
  });
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    const filled = text
      .replaceAll(/@(?=[a-z])/g, `habitus.invalid/${id}/`)
      .replaceAll('LABELLED', `LABEL ${TEST_LABEL}=${id}`);
    await writeFile(join(directory, path), filled);
  }
  return { directory, id, images, name: (step) => `habitus.invalid/${id}/${step}:latest` };
}

/** A build file of these steps, each a list of lines; the image of step `x` is named `@x`. */
export function buildYml(steps: Readonly<Record<string, readonly string[]>>): string {
  const lines = Object.entries(steps).flatMap(([label, keys]) => [
    `    ${label}:`,
    `      name: "@${label}"`,
    ...keys.map((line) => `      ${line}`),
  ]);
  return ['build:', '  version: 2016-03-14', '  steps:', ...lines, ''].join('\n');
}

/** Path → type, mode, owner, mtime and digest of everything in a folder, the folder itself included. */
export async function snapshot(directory: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  const visit = async (path: string): Promise<void> => {
    const status = await lstat(join(directory, path), { bigint: true });
    const content = status.isFile()
      ? createHash('sha256')
          .update(await readFile(join(directory, path)))
          .digest('hex')
      : status.isSymbolicLink()
        ? await readlink(join(directory, path))
        : '';
    found[path] =
      `${status.mode.toString(8)} ${status.uid}:${status.gid} ${status.mtimeNs} ${status.size} ${content}`;
    if (!status.isDirectory()) return;
    for (const name of (await readdir(join(directory, path))).sort()) await visit(join(path, name));
  };
  await visit('.');
  return found;
}

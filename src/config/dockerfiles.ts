/** What steps read from disk when the plan is made: their context folders, Dockerfiles and ignore files. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { frontendOf } from '../dockerfile/frontend.js';
import { DockerfileSyntaxError, stageNames, type findImageReferences } from '../dockerfile/references.js';
import { findBase, type Base } from '../dockerfile/stages.js';
import { folderState, type FolderState } from './folder-state.js';
import { describe, keyRange, rangeOf, type Checked } from './issues.js';
import type { PlanInputs } from './load.js';
import { readSmallFile, SourceText, type ReadOutcome } from './source.js';
import { stepPath, type Step } from './steps.js';
import { didYouMean } from './suggest.js';

export type FindImageReferences = typeof findImageReferences;
export type ImageReference = ReturnType<FindImageReferences>[number];

/** Parts of a step that lie on disk. */
export interface StepFiles {
  /** Absolute path of the context folder. */
  readonly context: string;
  /** Absolute path of the Dockerfile. */
  readonly path: string;
  readonly content: Buffer;
  readonly ignore?: string;
  /** All images that the Dockerfile names, of steps or not. */
  readonly images: readonly ImageReference[];
  /** Absent for `scratch`. */
  readonly base?: Base;
}

type Uses = Pick<StepFiles, 'images' | 'base'>;

/** Reads the files of all steps of one plan, each file once. */
export class DockerfileReader {
  readonly #reads = new Map<string, ReadOutcome>();
  readonly #folders = new Map<string, FolderState>();

  constructor(
    private readonly checked: Checked,
    private readonly workDirectory: string,
    private readonly findImages: FindImageReferences,
  ) {}

  /** Undefined when something is missing or wrong, which is then reported. */
  read(step: Step, args: Readonly<Record<string, string>>): StepFiles | undefined {
    const context = join(this.workDirectory, step.config.context ?? '');
    if (!this.#contextIsSound(step, context)) return undefined;
    const path = join(context, given(step.config.dockerfile) ?? 'Dockerfile');
    const dockerfile = this.#file(path);
    if (dockerfile.kind !== 'read') {
      this.#reportDockerfile(step, path, dockerfile);
      return undefined;
    }
    const uses = this.#uses(path, dockerfile.content, args, given(step.config.target));
    const ignore = this.#ignore([`${path}.dockerignore`, join(context, '.dockerignore')]);
    if (uses === undefined || !this.#targetIsSound(step, dockerfile.content, args)) return undefined;
    return { context, path, content: dockerfile.content, ...uses, ...(ignore !== undefined && { ignore }) };
  }

  /** What it has read, where nothing was wrong. */
  inputs(): Pick<PlanInputs, 'files' | 'folders'> {
    const files = Array.from(
      this.#reads,
      ([path, outcome]) => [path, outcome.kind === 'read' ? outcome.content : undefined] as const,
    );
    return { files: new Map(files), folders: [...this.#folders.keys()] };
  }

  #contextIsSound({ label, config }: Step, context: string): boolean {
    let known = this.#folders.get(context);
    if (known === undefined) this.#folders.set(context, (known = folderState(context)));
    const state = known;
    if (state === 'folder') return true;
    const written = given(config.context) ?? '.';
    const hint =
      state === 'missing'
        ? `there is no ${context}; a context is relative to the work directory`
        : `${context} is no folder; name the folder whose files the build may use`;
    const message =
      state === 'missing'
        ? `the context folder "${written}" of ${describe(stepPath(label))} does not exist`
        : `the context "${written}" of ${describe(stepPath(label))} is not a folder`;
    this.#report(label, 'context', message, hint);
    return false;
  }

  #reportDockerfile(
    { label, config }: Step,
    path: string,
    outcome: Exclude<ReadOutcome, { readonly kind: 'read' }>,
  ): void {
    const what = `the Dockerfile "${given(config.dockerfile) ?? 'Dockerfile'}" of ${describe(stepPath(label))}`;
    if (outcome.kind === 'unusable') {
      this.#report(label, 'dockerfile', `${what} ${outcome.why}`, `the file is ${path}`);
      return;
    }
    const neighbours = namesIn(dirname(path));
    const hint = didYouMean(
      basename(path),
      neighbours,
      `there is no ${path}; a Dockerfile is relative to its step's context`,
    );
    this.#report(label, 'dockerfile', `${what} does not exist`, hint);
  }

  #uses(
    path: string,
    content: Buffer,
    buildArgs: Readonly<Record<string, string>>,
    target: string | undefined,
  ): Uses | undefined {
    const options = { buildArgs, ...(target !== undefined && { target }) };
    try {
      const images = this.findImages(content, options);
      const base = findBase(content, options);
      return { images, ...(base !== undefined && { base }) };
    } catch (error) {
      if (!(error instanceof DockerfileSyntaxError)) throw error;
      const place = new SourceText(path, content.toString('utf8')).placeAt(error.line, error.column);
      this.checked.problems.add({ severity: 'error', message: error.message, file: path, place });
      return undefined;
    }
  }

  /** A stage may have a number for a name; what another frontend takes for a target, only that knows. */
  #targetIsSound({ label, config }: Step, content: Buffer, args: Readonly<Record<string, string>>): boolean {
    const target = given(config.target);
    if (target === undefined || /^\d+$/.test(target)) return true;
    const frontend = frontendOf(content, args);
    if (frontend !== undefined && !/^(?:docker\.io\/)?docker\/dockerfile(?:$|[:@])/.test(frontend))
      return true;
    const names = stageNames(content);
    if (names.includes(target.toLowerCase())) return true;
    const all =
      names.length === 0
        ? 'no stage there has a name: write "FROM IMAGE AS NAME"'
        : `the stages there are ${names.join(', ')}`;
    const message = `the target "${target}" of ${describe(stepPath(label))} is no stage of its Dockerfile`;
    this.#report(label, 'target', message, didYouMean(target, names, all));
    return false;
  }

  /** The first that exists counts; Docker strips a byte order mark. */
  #ignore(paths: readonly string[]): string | undefined {
    for (const path of paths) {
      const outcome = this.#file(path);
      if (outcome.kind === 'missing') continue;
      if (outcome.kind === 'read') return outcome.content.toString('utf8').replace(/^\ufeff/, '');
      const message = `the ignore file ${outcome.why}`;
      const hint = 'without it, files that it leaves out would get into the build';
      this.checked.problems.add({ severity: 'error', message, file: path, hint });
      return undefined;
    }
    return undefined;
  }

  #file(path: string): ReadOutcome {
    let outcome = this.#reads.get(path);
    if (outcome === undefined) this.#reads.set(path, (outcome = readSmallFile(path)));
    return outcome;
  }

  #report(
    label: string,
    key: 'context' | 'dockerfile' | 'target',
    message: string,
    hint: string | undefined,
  ): void {
    const { root, source, problems } = this.checked;
    const path = stepPath(label, key);
    const range = rangeOf(root, path);
    problems.add(source.error(message, range[0] === range[1] ? keyRange(root, path) : range, hint));
  }
}

/** Old files may leave keys empty, and `_env()` may empty a text: both mean that nothing is given. */
export function given(text: string | null | undefined): string | undefined {
  return text === null || text === '' ? undefined : text;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

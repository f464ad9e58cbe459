/** The stages of a Dockerfile and what each of them builds on. */
import { globalArgs } from './args.js';
import { LexError } from './errors.js';
import {
  byteRange,
  operandWords,
  parseDockerfile,
  type Dockerfile,
  type Instruction,
} from './instructions.js';
import { expandWord } from './lexer.js';
import { platformArgs } from './platform.js';

export interface ReferenceOptions {
  /** Values given from outside; as in Docker they count for declared ARGs and automatic ones only. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** The stage to stop at: its name, in any case. */
  readonly target?: string;
  /** Value for the automatic args that BuildKit sets (TARGETARCH…), e.g. `linux/amd64`; absent: they are unset. */
  readonly platform?: string;
}

/** The word behind FROM. */
export interface Base {
  readonly image: string;
  /** Byte range `[start, end)` as written. */
  readonly start: number;
  readonly end: number;
}

/** One FROM and what follows it. */
export interface Stage {
  readonly from: Instruction;
  /** The word behind FROM, as indexes into the logical line. */
  readonly base: { readonly start: number; readonly end: number };
  readonly name: string | undefined;
  readonly instructions: Instruction[];
}

/** @throws DockerfileSyntaxError where there is none */
export function readStages(dockerfile: Dockerfile): readonly Stage[] {
  const stages: Stage[] = [];
  for (const instruction of dockerfile.instructions) {
    if (instruction.keyword === 'from') stages.push(readStage(dockerfile, instruction));
    else stages.at(-1)?.instructions.push(instruction);
  }
  if (stages.length === 0) throw dockerfile.source.error('this Dockerfile has no FROM', 0);
  return stages;
}

function readStage(dockerfile: Dockerfile, from: Instruction): Stage {
  const words = operandWords(from);
  const [base, as, name] = words.map(({ start, end }) => from.line.text.slice(start, end));
  const range = words[0];
  if (
    base === undefined ||
    range === undefined ||
    !(words.length === 1 || (words.length === 3 && as?.toLowerCase() === 'as'))
  ) {
    throw dockerfile.source.error(
      'FROM takes an image, or an image, AS and a name',
      from.line.offsetOf(from.start),
    );
  }
  return { from, base: range, name: name?.toLowerCase(), instructions: [] };
}

/** Index of the stage to build; the last one where there is no such target. */
export function findStage(stages: readonly Stage[], target: string | undefined): number {
  const index = stages.findIndex(({ name }) => name !== undefined && name === target?.toLowerCase());
  return index === -1 ? stages.length - 1 : index;
}

/** Index of the stage that a name means in the stage at `index`: the last one of it before; -1 where there is none. */
export function stageBefore(stages: readonly Stage[], name: string, index: number): number {
  const wanted = name.toLowerCase();
  let found = index - 1;
  while (found >= 0 && stages[found]?.name !== wanted) found--;
  return found;
}

/** What FROM sees of ARGs. */
export function stageVariables(
  dockerfile: Dockerfile,
  stages: readonly Stage[],
  options: ReferenceOptions,
): ReadonlyMap<string, string> {
  const automatic =
    options.platform === undefined
      ? new Map<string, string>()
      : platformArgs(options.platform, options.target ?? stages.at(-1)?.name ?? 'default');
  return globalArgs(dockerfile, options.buildArgs, automatic);
}

/** What a stage builds on: an image or an earlier stage; variables expanded. */
export function baseOf(dockerfile: Dockerfile, stage: Stage, variables: ReadonlyMap<string, string>): Base {
  const { line } = stage.from;
  const range = byteRange(line, stage.base);
  const written = Buffer.from(line.text.slice(stage.base.start, stage.base.end), 'latin1').toString('utf8');
  let image: string;
  try {
    image = expandWord(written, variables, dockerfile.escape);
  } catch (error) {
    if (!(error instanceof LexError)) throw error;
    throw dockerfile.source.error(`the image "${written}" cannot be read: ${error.message}`, range.start);
  }
  if (image === '') {
    throw dockerfile.source.error(
      `the image "${written}" is empty; FROM sees only ARGs that stand before the first FROM`,
      range.start,
    );
  }
  return { image, ...range };
}

/**
 * The image that the result is built on: that of the built stage's FROM, through stages of the same file.
 * @returns `undefined` for `scratch`
 * @throws DockerfileSyntaxError
 */
export function findBase(content: Buffer, options: ReferenceOptions): Base | undefined {
  const dockerfile = parseDockerfile(content);
  const stages = readStages(dockerfile);
  const variables = stageVariables(dockerfile, stages, options);
  let index = findStage(stages, options.target);
  for (;;) {
    const stage = stages[index];
    if (stage === undefined) throw new RangeError(`no stage ${index}`);
    const base = baseOf(dockerfile, stage, variables);
    if (base.image === 'scratch') return undefined;
    index = stageBefore(stages, base.image, index);
    if (index === -1) return base;
  }
}

/** Names of the stages, lower case, in order; unnamed ones are left out. @throws DockerfileSyntaxError */
export function stageNames(content: Buffer): readonly string[] {
  return readStages(parseDockerfile(content)).flatMap((stage) => stage.name ?? []);
}

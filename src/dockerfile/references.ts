/** Which places of a Dockerfile name an image, as against a stage of the same file. */
import { globalArgs } from './args.js';
import { LexError } from './errors.js';
import { replaceableRange, textOf, type Flag, type Glyph } from './flags.js';
import {
  byteRange,
  operandWords,
  parseDockerfile,
  type Dockerfile,
  type Instruction,
} from './instructions.js';
import { expandWord } from './lexer.js';
import { mountSource } from './mount.js';
import { platformArgs } from './platform.js';

export { DockerfileSyntaxError } from './errors.js';

export interface ImageReference {
  /** The image's name as Docker looks it up: variables expanded, quotes and escapes gone. */
  readonly image: string;
  /** Byte range `[start, end)` of the operand as written; it may span a line continuation. */
  readonly start: number;
  readonly end: number;
  /** Of `start`; from 1. */
  readonly line: number;
  readonly column: number;
}

export interface ReferenceOptions {
  /** Values given from outside; as in Docker they count for declared ARGs and automatic ones only. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** The stage to stop at: its name, in any case. */
  readonly target?: string;
  /** Value for the automatic args that BuildKit sets (TARGETARCH…), e.g. `linux/amd64`; absent: they are unset. */
  readonly platform?: string;
}

/**
 * Every operand of FROM, `COPY --from=`, `ADD --from=` and `RUN --mount=…,from=` that denotes an image; disjoint, ascending.
 *
 * Stages behind the target are left out, all before it count: the classic builder builds each of them, and though BuildKit
 * skips those it does not need, a plan must hold for both. A target that is no stage of the file leaves nothing out.
 * ONBUILD triggers do not count: their names mean the images and stages of the build in which they fire.
 * `scratch` is no image. A number is a stage in COPY and an image in FROM and in mounts.
 *
 * @throws DockerfileSyntaxError where neither builder could know which image is meant
 * @see https://docs.docker.com/reference/dockerfile/
 */
export function findImageReferences(content: Buffer, options: ReferenceOptions): readonly ImageReference[] {
  const dockerfile = parseDockerfile(content);
  const stages = readStages(dockerfile);
  const automatic =
    options.platform === undefined
      ? new Map<string, string>()
      : platformArgs(options.platform, options.target ?? stages.at(-1)?.name ?? 'default');
  const variables = globalArgs(dockerfile, options.buildArgs, automatic);
  const target = stages.findIndex(
    (stage) => stage.name !== undefined && stage.name === options.target?.toLowerCase(),
  );
  const known = new Set<string>();
  return stages.slice(0, target === -1 ? undefined : target + 1).flatMap((stage) => {
    const found = [
      fromReference(dockerfile, stage, variables),
      ...stage.instructions.flatMap((instruction) => {
        return imageFlags(instruction).map((flag) => flagReference(dockerfile, instruction, flag));
      }),
    ];
    const images = found.filter(({ image, kind }) => {
      if (image === '' || image === 'scratch' || known.has(image.toLowerCase())) return false;
      return kind !== 'copy' || !/^[+-]?\d+$/.test(image);
    });
    if (stage.name !== undefined) known.add(stage.name);
    return images.map(({ image, start, end }) => ({
      image,
      start,
      end,
      ...dockerfile.source.position(start),
    }));
  });
}

/** Names of the stages, lower case, in order; unnamed ones are left out. @throws DockerfileSyntaxError */
export function stageNames(content: Buffer): readonly string[] {
  return readStages(parseDockerfile(content)).flatMap((stage) => stage.name ?? []);
}

type Kind = 'from' | 'copy' | 'mount';

interface Found {
  readonly kind: Kind;
  readonly image: string;
  readonly start: number;
  readonly end: number;
}

interface Stage {
  readonly from: Instruction;
  /** The word behind FROM, as indexes into the logical line. */
  readonly base: { readonly start: number; readonly end: number };
  readonly name: string | undefined;
  readonly instructions: Instruction[];
}

function readStages(dockerfile: Dockerfile): readonly Stage[] {
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

function fromReference(dockerfile: Dockerfile, stage: Stage, variables: ReadonlyMap<string, string>): Found {
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
  return { kind: 'from', image, ...range };
}

interface ImageFlag {
  readonly kind: 'copy' | 'mount';
  readonly value: readonly Glyph[];
}

function imageFlags(instruction: Instruction): readonly ImageFlag[] {
  return instruction.flags.flatMap((flag): readonly ImageFlag[] => {
    switch (instruction.keyword) {
      case 'copy':
      case 'add':
        return valueOf(flag, '--from').map((value) => ({ kind: 'copy', value }));
      case 'run':
        return valueOf(flag, '--mount').flatMap((options) => {
          const value = mountSource(options);
          return value === undefined ? [] : [{ kind: 'mount', value }];
        });
      default:
        return [];
    }
  });
}

function valueOf(flag: Flag, name: string): readonly Flag[] {
  return textOf(flag.slice(0, name.length + 1)) === `${name}=` ? [flag.slice(name.length + 1)] : [];
}

function flagReference(dockerfile: Dockerfile, { line }: Instruction, { kind, value }: ImageFlag): Found {
  const image = Buffer.from(textOf(value), 'latin1').toString('utf8');
  const first = value[0];
  if (first === undefined) return { kind, image: '', start: 0, end: 0 };
  if (image.slice(0, -1).includes('$')) {
    throw dockerfile.source.error(
      `"${image}": from= takes no variables; name a stage with FROM ${image} AS … and copy from that`,
      line.offsetOf(first.start),
    );
  }
  const range = replaceableRange(line.text, value);
  if (range === undefined) {
    throw dockerfile.source.error(
      `the quotes around "${image}" must open and close around the whole name`,
      line.offsetOf(first.start),
    );
  }
  return { kind, image, ...byteRange(line, range) };
}

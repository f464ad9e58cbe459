/** Which places of a Dockerfile name an image, as against a stage of the same file. */
import { replaceableRange, textOf, type Flag, type Glyph } from './flags.js';
import { byteRange, parseDockerfile, type Dockerfile, type Instruction } from './instructions.js';
import { mountSource } from './mount.js';
import { baseOf, findStage, readStages, stageVariables, type ReferenceOptions } from './stages.js';

export { DockerfileSyntaxError } from './errors.js';
export { stageNames, type ReferenceOptions } from './stages.js';

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
  const variables = stageVariables(dockerfile, stages, options);
  const known = new Set<string>();
  return stages.slice(0, findStage(stages, options.target) + 1).flatMap((stage) => {
    const found: Found[] = [
      { kind: 'from', ...baseOf(dockerfile, stage, variables) },
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

type Kind = 'from' | 'copy' | 'mount';

interface Found {
  readonly kind: Kind;
  readonly image: string;
  readonly start: number;
  readonly end: number;
}

/** A flag of an instruction that names an image or a stage. */
export interface ImageFlag {
  readonly kind: 'copy' | 'mount';
  readonly value: readonly Glyph[];
}

/** `COPY --from=`, `ADD --from=` and `RUN --mount=…,from=`. */
export function imageFlags(instruction: Instruction): readonly ImageFlag[] {
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

/** The name as written. */
export function textOfFlag({ value }: ImageFlag): string {
  return Buffer.from(textOf(value), 'latin1').toString('utf8');
}

function flagReference(dockerfile: Dockerfile, { line }: Instruction, flag: ImageFlag): Found {
  const { kind, value } = flag;
  const image = textOfFlag(flag);
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

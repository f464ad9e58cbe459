/** COPY instructions that take files of the context by plain names, and how they take the same out of an image instead. */
import {
  byteRange,
  isJson,
  operandText,
  operandWords,
  parseDockerfile,
  type Instruction,
} from './instructions.js';
import type { Replacement } from './rewrite.js';

/** A COPY without flags whose sources hold no variables, wildcards, quotes or escapes. */
export interface ContextCopy {
  readonly form: 'words' | 'list';
  /** Byte offset behind the keyword, where a flag can stand. */
  readonly flagAt: number;
  readonly sources: readonly CopySource[];
}

export interface CopySource {
  /** Relative to the context, cleaned: no `.`, no `..`, no slash at either end. Never the context itself. */
  readonly path: string;
  readonly written: string;
  /** Byte range `[start, end)` of what is written, without the quotes of a list. */
  readonly start: number;
  readonly end: number;
  /** What stands before it, from the keyword or the source before, line continuations left out. */
  readonly before: string;
}

/** A COPY made into a `COPY --from`. */
export interface RedirectedCopy {
  readonly replacements: readonly Replacement[];
  /** How the engine tells the changed part of the instruction; names the image, so it stands for nothing else. */
  readonly built: string;
  /** The same part as the file has it. */
  readonly written: string;
}

/** All that Docker or a shell would read as more than itself; `<` may begin a heredoc. */
const SPECIAL = /[\p{Cc}"'`\\$*?[\]<\ufffd]/u;

/** In the order of the file; not those that ONBUILD holds back. @throws DockerfileSyntaxError */
export function findContextCopies(content: Buffer): readonly ContextCopy[] {
  return parseDockerfile(content).instructions.flatMap((instruction) => {
    if (instruction.keyword !== 'copy' || instruction.flags.length > 0 || instruction.heredocs > 0) return [];
    return readCopy(instruction) ?? [];
  });
}

/**
 * Let it copy from `image`, these absolute paths in place of its sources, one for each.
 * @returns `undefined` where a path cannot be written there
 */
export function copyFromImage(
  { form, flagAt, sources }: ContextCopy,
  image: string,
  paths: readonly string[],
): RedirectedCopy | undefined {
  if (paths.some((path) => SPECIAL.test(path) || (form === 'words' && path.includes(' ')))) return undefined;
  const flag = ` --from=${image}`;
  const pathOf = (index: number): string => paths[index] ?? '';
  return {
    replacements: [
      { start: flagAt, end: flagAt, text: flag },
      ...sources.map(({ start, end }, index) => ({ start, end, text: pathOf(index) })),
    ],
    built: flag + sources.map(({ before }, index) => before + pathOf(index)).join(''),
    written: sources.map(({ before, written }) => before + written).join(''),
  };
}

function readCopy(instruction: Instruction): ContextCopy | undefined {
  const { line, start } = instruction;
  const keywordEnd = start + instruction.keyword.length;
  const form = isJson(operandText(instruction)) ? 'list' : 'words';
  const operands = form === 'list' ? listItems(instruction) : operandWords(instruction);
  if (operands.length < 2) return undefined;
  let position = keywordEnd;
  const sources = operands.slice(0, -1).flatMap((range): readonly CopySource[] => {
    const before = decoded(line.text.slice(position, range.start));
    position = range.end;
    const written = decoded(line.text.slice(range.start, range.end));
    const path = SPECIAL.test(written) ? undefined : cleaned(written);
    return path === undefined ? [] : [{ path, written, ...byteRange(line, range), before }];
  });
  if (sources.length < operands.length - 1) return undefined;
  return { form, flagAt: byteRange(line, { start, end: keywordEnd }).end, sources };
}

/** The strings of a list without their quotes, as indexes into the logical line. */
function listItems(instruction: Instruction): readonly { readonly start: number; readonly end: number }[] {
  return Array.from(operandText(instruction).matchAll(/"((?:[^"\\]|\\.)*)"/g), (match) => {
    const start = instruction.operands.start + match.index + 1;
    return { start, end: start + (match[1]?.length ?? 0) };
  });
}

function cleaned(written: string): string | undefined {
  const names = written.split('/').filter((name) => name !== '' && name !== '.');
  return names.length === 0 || names.includes('..') ? undefined : names.join('/');
}

function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** A Dockerfile as the list of its instructions: keyword, flags, operands, each with its place in the file. */
import { LexError } from './errors.js';
import { readFlags, type Flag } from './flags.js';
import { heredocsOf, skipHeredoc } from './heredoc.js';
import { LineReader, lengthWithoutTrailingSpace, leadingSpace, Source } from './lines.js';
import type { Escape, LogicalLine } from './lines.js';

export interface Instruction {
  /** Lower case. */
  readonly keyword: string;
  readonly line: LogicalLine;
  /** Index of the keyword in the logical line. */
  readonly start: number;
  readonly flags: readonly Flag[];
  /** Range of the operands in the logical line, without the white space around them. */
  readonly operands: { readonly start: number; readonly end: number };
  readonly heredocs: number;
  /** ONBUILD: the instruction it holds back. */
  readonly trigger?: Instruction;
}

export interface Dockerfile {
  readonly source: Source;
  readonly escape: Escape;
  readonly instructions: readonly Instruction[];
}

/** The last one read: each is asked at once for images, base, args, mounts and copies, and its bytes never change. */
let last: { readonly content: Buffer; readonly dockerfile: Dockerfile } | undefined;

const MAY_HAVE_HEREDOCS = new Set(['add', 'copy', 'run']);

/** Unknown keywords pass: what only the engine has to understand is left to it. @throws DockerfileSyntaxError */
export function parseDockerfile(content: Buffer): Dockerfile {
  if (last?.content === content) return last.dockerfile;
  const source = new Source(content);
  const reader = new LineReader(source);
  const instructions: Instruction[] = [];
  for (let line = reader.nextLogical(); line !== undefined; line = reader.nextLogical()) {
    const instruction = parseInstruction(line, leadingSpace(line.text), reader.escape);
    const offset = line.offsetOf(instruction.start);
    const heredocs = readHeredocs(instruction, source, offset);
    for (const heredoc of heredocs) skipHeredoc(heredoc, reader, source, offset);
    instructions.push({ ...instruction, heredocs: heredocs.length });
  }
  const dockerfile = { source, escape: reader.escape, instructions };
  last = { content, dockerfile };
  return dockerfile;
}

function parseInstruction(line: LogicalLine, start: number, escape: Escape): Instruction {
  const instruction = parseCommand(line, start, escape);
  const { operands } = instruction;
  if (instruction.keyword !== 'onbuild' || operands.start === operands.end) return instruction;
  return { ...instruction, trigger: parseCommand(line, operands.start, escape) };
}

function parseCommand(line: LogicalLine, start: number, escape: Escape): Instruction {
  const text = line.text;
  const end = Math.max(start, lengthWithoutTrailingSpace(text));
  let position = start;
  while (position < end && !'\t\v\f\r '.includes(text[position] ?? '')) position++;
  const keyword = text.slice(start, position).toLowerCase();
  const flags = readFlags(text.slice(0, end), position, escape);
  const operands = { start: Math.min(end, flags.end + leadingSpace(text.slice(flags.end, end))), end };
  return { keyword, line, start, flags: flags.flags, operands, heredocs: 0 };
}

function readHeredocs(
  instruction: Instruction,
  source: Source,
  offset: number,
): ReturnType<typeof heredocsOf> {
  const command = instruction.keyword === 'onbuild' ? instruction.trigger : instruction;
  if (command === undefined || !MAY_HAVE_HEREDOCS.has(command.keyword) || isJson(operandText(command)))
    return [];
  try {
    return heredocsOf(instruction.line.text);
  } catch (error) {
    if (error instanceof LexError)
      throw source.error(`this heredoc cannot be read: ${error.message}`, offset);
    throw error;
  }
}

export function operandText(instruction: Instruction): string {
  return instruction.line.text.slice(instruction.operands.start, instruction.operands.end);
}

/** Whether operands are in the list form, `["a", "b"]`. */
export function isJson(text: string): boolean {
  if (!text.startsWith('[')) return false;
  try {
    const list: unknown = JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
    return Array.isArray(list) && list.every((item) => typeof item === 'string');
  } catch {
    return false;
  }
}

/** The operands split at white space, as indexes into the logical line. Quotes do not hold words together here. */
export function operandWords(
  instruction: Instruction,
): readonly { readonly start: number; readonly end: number }[] {
  return Array.from(operandText(instruction).matchAll(/[^\t\v\f\r ]+/g), (match) => {
    const start = instruction.operands.start + match.index;
    return { start, end: start + match[0].length };
  });
}

/** Byte range of the file, from indexes into the logical line. */
export function byteRange(
  line: LogicalLine,
  range: { readonly start: number; readonly end: number },
): { readonly start: number; readonly end: number } {
  return { start: line.offsetOf(range.start), end: line.offsetOf(range.end - 1) + 1 };
}

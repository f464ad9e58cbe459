/** What a Dockerfile writes into an image's config and history by itself: the values of ENV, ARG and LABEL. */
import { LexError } from '../dockerfile/errors.js';
import { operandText, parseDockerfile, type Instruction } from '../dockerfile/instructions.js';
import { expandWord, isSpace } from '../dockerfile/lexer.js';

export interface WrittenValue {
  /** E.g. `ENV TOKEN`. */
  readonly what: string;
  /** As written. */
  readonly written: string;
  /** Without quotes and escapes; `$variables` as if unset. */
  readonly value: string;
  /** Bytes of the file, from the name on. */
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

const KEYWORDS = new Set(['env', 'arg', 'label']);

/** Those that are not empty, in the order of the file; those that ONBUILD holds back count too. @throws DockerfileSyntaxError */
export function writtenValues(content: Buffer): readonly WrittenValue[] {
  const { escape, instructions } = parseDockerfile(content);
  return instructions.flatMap((instruction) => {
    const command = instruction.trigger ?? instruction;
    if (!KEYWORDS.has(command.keyword)) return [];
    const { line, operands, keyword } = command;
    const offset = (index: number): number => line.offsetOf(operands.start + index);
    return pairsOf(command, escape).map(({ name, value, start, valueStart }) => ({
      what: `${keyword.toUpperCase()} ${name}`,
      written: value,
      value: plain(value, escape),
      start: offset(start),
      valueStart: offset(valueStart),
      end: offset(valueStart + Buffer.byteLength(value) - 1) + 1,
    }));
  });
}

/** Places count in bytes from the start of the operands. */
interface Pair {
  readonly name: string;
  readonly value: string;
  readonly start: number;
  readonly valueStart: number;
}

/** `A=1 B="2 3"`, or of old `A all the rest`. */
function pairsOf(command: Instruction, escape: string): readonly Pair[] {
  const text = operandText(command);
  const words = wordsOf(text, escape);
  const [first] = words;
  if (first === undefined) return [];
  const pair = (start: number, nameEnd: number, valueStart: number, end: number): Pair[] =>
    valueStart >= end
      ? []
      : [
          {
            name: utf8(text.slice(start, nameEnd)),
            value: utf8(text.slice(valueStart, end)),
            start,
            valueStart,
          },
        ];
  if (command.keyword !== 'arg' && !first.text.includes('=')) {
    const nameEnd = first.start + first.text.length;
    const space = text.slice(nameEnd).length - text.slice(nameEnd).trimStart().length;
    return pair(first.start, nameEnd, nameEnd + space, text.length);
  }
  return words.flatMap(({ start, text: word }) => {
    const equals = word.indexOf('=');
    return equals === -1 ? [] : pair(start, start + equals, start + equals + 1, start + word.length);
  });
}

/** White space inside quotes and behind the escape character does not part words. One character a byte. */
function wordsOf(text: string, escape: string): readonly { readonly start: number; readonly text: string }[] {
  const words: { start: number; text: string }[] = [];
  let start = 0;
  let quote = '';
  const end = (at: number): void => {
    if (at > start) words.push({ start, text: text.slice(start, at) });
    start = at + 1;
  };
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === escape && quote !== "'") index++;
    else if (quote === '' && isSpace(character)) end(index);
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
  }
  end(text.length);
  return words;
}

function plain(value: string, escape: string): string {
  try {
    return expandWord(value, new Map(), escape);
  } catch (error) {
    if (error instanceof LexError) return value;
    throw error;
  }
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

/** ARG: which names a Dockerfile declares, and the values that FROM sees. */
import { LexError } from './errors.js';
import { operandText, parseDockerfile, type Dockerfile, type Instruction } from './instructions.js';
import { expandWord, isSpace } from './lexer.js';

interface ArgDeclaration {
  readonly name: string;
  /** The default as written, quotes and variables included. */
  readonly value: string | undefined;
}

/** Names of all ARGs, global and of any stage, in the order of their first mention. @throws DockerfileSyntaxError */
export function declaredArgs(content: Buffer): readonly string[] {
  const dockerfile = parseDockerfile(content);
  const names = dockerfile.instructions
    .filter((instruction) => instruction.keyword === 'arg')
    .flatMap((instruction) =>
      declarations(instruction, dockerfile.escape).map((declaration) => declaration.name),
    );
  return [...new Set(names)];
}

/**
 * The values of the global ARGs, those before the first FROM: the only ones that FROM may use.
 * Where the builders differ, as in BuildKit: an ARG without default keeps the value of an earlier one (classic unsets it).
 * @param automatic values that need no declaration; a build arg goes before them
 */
export function globalArgs(
  dockerfile: Dockerfile,
  buildArgs: Readonly<Record<string, string>>,
  automatic: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const given = new Map(Object.entries(buildArgs));
  const values = new Map(automatic);
  for (const name of automatic.keys()) {
    const value = given.get(name);
    if (value !== undefined) values.set(name, value);
  }
  for (const instruction of dockerfile.instructions) {
    if (instruction.keyword === 'from') break;
    if (instruction.keyword !== 'arg') continue;
    for (const { name, value } of declarations(instruction, dockerfile.escape)) {
      const result =
        given.get(name) ?? (value === undefined ? undefined : expand(value, values, dockerfile, instruction));
      if (result !== undefined) values.set(name, result);
    }
  }
  return values;
}

function expand(
  value: string,
  values: ReadonlyMap<string, string>,
  dockerfile: Dockerfile,
  instruction: Instruction,
): string {
  try {
    return expandWord(value, values, dockerfile.escape);
  } catch (error) {
    if (!(error instanceof LexError)) throw error;
    const offset = instruction.line.offsetOf(instruction.operands.start);
    throw dockerfile.source.error(`the default "${value}" cannot be read: ${error.message}`, offset);
  }
}

function declarations(instruction: Instruction, escape: string): readonly ArgDeclaration[] {
  const text = Buffer.from(operandText(instruction), 'latin1').toString('utf8');
  return quotedWords(text, escape).map((word) => {
    const equals = word.indexOf('=');
    return equals === -1
      ? { name: word, value: undefined }
      : { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

/** Words separated by white space outside quotes; quotes and escapes stay as written. */
function quotedWords(text: string, escape: string): readonly string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  const characters = Array.from(text);
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? '';
    if (quote === '' && isSpace(character)) {
      if (word !== '') words.push(word);
      word = '';
      continue;
    }
    if (character === escape && quote !== "'") {
      // The escape character at the very end stands for nothing.
      if (index + 1 === characters.length) break;
      word += character + (characters[++index] ?? '');
      continue;
    }
    if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    word += character;
  }
  if (word !== '') words.push(word);
  return words;
}

/** Which Dockerfiles can give another image although nothing of what is known of their inputs has changed. */
import { textOf } from '../dockerfile/flags.js';
import {
  isJson,
  operandText,
  operandWords,
  parseDockerfile,
  type Instruction,
} from '../dockerfile/instructions.js';

/** BuildKit takes this build arg for a syntax directive. */
const SYNTAX_ARG = 'BUILDKIT_SYNTAX';
/** The frontend that every BuildKit has built in, in whatever version. */
const STANDARD_FRONTEND = /^(?:docker\.io\/)?docker\/dockerfile(?:[:@]|$)/;
/** A word that reads like this is fetched; so is one that only a variable's value would tell. */
const REMOTE = /^(?:https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/i;
const REMOTE_BEGINNINGS = ['http://', 'https://', 'git://', 'ssh://', 'git@', 'github.com/'];
const BOM = '\xef\xbb\xbf';

/**
 * Tags that move are no reason: their image IDs are inputs. ONBUILD triggers count in the builds in which they fire: pass those of
 * a base image, one a line, in a call of their own.
 * @returns one reason, a sentence without final period; `undefined` where there is none
 * @throws DockerfileSyntaxError
 */
export function unpredictable(
  content: Buffer,
  args: Readonly<Record<string, string>> = {},
): string | undefined {
  return foreignFrontend(content, args) ?? remoteSource(content);
}

function foreignFrontend(content: Buffer, args: Readonly<Record<string, string>>): string | undefined {
  const frontend = args[SYNTAX_ARG] ?? syntaxOf(content);
  if (frontend === undefined || STANDARD_FRONTEND.test(frontend)) return undefined;
  return `the frontend ${JSON.stringify(frontend)} is not known here, nor what it reads`;
}

/**
 * As BuildKit finds it (frontend/dockerfile/parser/directives.go): in the comments at the beginning, which may begin with `//`
 * too, or in a JSON object; behind a line with `#!`, if there is one.
 */
function syntaxOf(content: Buffer): string | undefined {
  const lines = content
    .toString('latin1')
    .replace(BOM, '')
    .replace(/^#!.*(?:\n|$)/, '')
    .split('\n');
  if (lines[0]?.trimStart().startsWith('{') === true) return lines[0].trim();
  for (const line of lines) {
    const directive = /^\s*(?:#|\/\/)\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line);
    if (directive === null) return undefined;
    if (directive[1]?.toLowerCase() === 'syntax') return directive[2]?.split(/\s/)[0];
  }
  return undefined;
}

function remoteSource(content: Buffer): string | undefined {
  const dockerfile = parseDockerfile(content);
  for (const instruction of dockerfile.instructions) {
    if (instruction.keyword !== 'add') continue;
    const { line } = dockerfile.source.position(instruction.line.offsetOf(instruction.start));
    const flags = instruction.flags.map(textOf);
    if (flags.some((flag) => /^--keep-git-dir(?:=|$)/.test(flag) && !/=false$/i.test(flag))) {
      return `line ${line} adds a Git repository, which may have moved on`;
    }
    // A checksum fixes what is fetched.
    if (flags.some((flag) => /^--checksum=./.test(flag))) continue;
    const remote = sourcesOf(instruction).find(mayBeRemote);
    if (remote !== undefined)
      return `line ${line} adds ${JSON.stringify(decoded(remote))}, which may have changed since`;
  }
  return undefined;
}

function sourcesOf(instruction: Instruction): readonly string[] {
  const text = operandText(instruction);
  const { line } = instruction;
  const words = isJson(text)
    ? (JSON.parse(text) as readonly string[])
    : operandWords(instruction).map(({ start, end }) => line.text.slice(start, end));
  return words.slice(0, -1);
}

function mayBeRemote(source: string): boolean {
  const unquoted = source.replace(/["'\\`]/g, '');
  if (REMOTE.test(unquoted)) return true;
  const variable = unquoted.indexOf('$');
  const before = unquoted.slice(0, variable).toLowerCase();
  return variable !== -1 && REMOTE_BEGINNINGS.some((beginning) => beginning.startsWith(before));
}

function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

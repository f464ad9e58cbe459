/** Which Dockerfiles can give another image although nothing of what is known of their inputs has changed. */
import { textOf } from '../dockerfile/flags.js';
import { frontendOf } from '../dockerfile/frontend.js';
import {
  isJson,
  operandText,
  operandWords,
  parseDockerfile,
  type Instruction,
} from '../dockerfile/instructions.js';

/** The frontend that every BuildKit has built in, in whatever version. */
const STANDARD_FRONTEND = /^(?:docker\.io\/)?docker\/dockerfile(?:[:@]|$)/;
/** A word that reads like this is fetched; so is one that only a variable's value would tell. */
const REMOTE = /^(?:https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/i;
const REMOTE_BEGINNINGS = ['http://', 'https://', 'git://', 'ssh://', 'git@', 'github.com/'];

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
  const frontend = frontendOf(content, args);
  if (frontend === undefined || STANDARD_FRONTEND.test(frontend)) return undefined;
  return `the frontend ${JSON.stringify(frontend)} is not known here, nor what it reads`;
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

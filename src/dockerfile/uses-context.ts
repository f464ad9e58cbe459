/** Whether a build reads its context. */
import { textOf } from './flags.js';
import { parseDockerfile, type Instruction } from './instructions.js';

/**
 * What ONBUILD holds back counts: it fires where a later stage is built on this one. What it holds back in a base image does not, as
 * it is not known here.
 * @throws DockerfileSyntaxError
 */
export function usesContext(dockerfile: Buffer): boolean {
  return parseDockerfile(dockerfile).instructions.some(mayRead);
}

/**
 * With room to spare: of mounts few do, and of an ADD not that which fetches everything. The lines of a heredoc are instructions to
 * builders that know none, which are the classic one and that of 20.10.
 */
function mayRead({ keyword, flags, trigger, heredocs }: Instruction): boolean {
  if (heredocs > 0) return true;
  const has = (beginning: RegExp): boolean => flags.some((flag) => beginning.test(textOf(flag)));
  switch (keyword) {
    case 'add':
      return true;
    case 'copy':
      return !has(/^--from=./);
    case 'run':
      return has(/^--mount\b/);
    case 'onbuild':
      return trigger !== undefined && mayRead(trigger);
    default:
      return false;
  }
}

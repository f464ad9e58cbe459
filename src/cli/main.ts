/** The program's door: what asks for its version or its help alone is answered at once, for all else the rest is loaded. */
import { EXIT } from '../core/errors.js';
import type { Compiled } from './compile-cache.js';
import { processWorld, type World } from './world.js';

/**
 * @param given absent: that of the process
 * @returns the exit status; never rejects
 */
export async function main(argv: readonly string[], given?: World): Promise<number> {
  const world = given ?? processWorld();
  const answer = await answerAtOnce(argv);
  if (answer !== undefined) {
    world.stdout.write(answer);
    if ((await world.flushed()) === undefined) return EXIT.ok;
  }
  // An answer that was lost is lost again, and then told as any failure is.
  const compiled = given === undefined ? await keepProgram(world.env) : undefined;
  const { runCommandLine } = await import('./run.js');
  const status = await runCommandLine(argv, world);
  await compiled?.save();
  return status;
}

async function keepProgram(env: World['env']): Promise<Compiled> {
  const { keepCompiled } = await import('./compile-cache.js');
  return keepCompiled(env, import.meta.dirname);
}

async function answerAtOnce(argv: readonly string[]): Promise<string | undefined> {
  const [word = '', ...more] = argv;
  if (more.length > 0) return undefined;
  switch (word) {
    case '-version':
    case '--version': {
      const { versionText } = await import('./version.js');
      return `${versionText()}\n`;
    }
    case '-help':
    case '--help': {
      const { helpText } = await import('./help.js');
      return helpText();
    }
    default:
      return undefined;
  }
}

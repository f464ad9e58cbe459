/** How a command line of the build file becomes the words that run in an image. */
import { EngineError } from './errors.js';
import type { ImageDescription } from './ports.js';

const DEFAULT_SHELL = ['/bin/sh', '-c'];

/** A text goes through the image's SHELL, a list runs as it is. */
export function wordsOf(
  command: string | readonly string[],
  { shell }: Pick<ImageDescription, 'shell'>,
): readonly string[] {
  if (typeof command !== 'string') return command;
  return [...(shell ?? DEFAULT_SHELL), command];
}

/** A command as it is shown. */
export function textOf(command: string | readonly string[]): string {
  return typeof command === 'string' ? command : command.join(' ');
}

/** Whether an engine could not start a container because the image lacks the program. */
export function isMissingProgram(error: unknown): error is EngineError {
  return (
    error instanceof EngineError && /no such file or directory|executable file not found/.test(error.message)
  );
}

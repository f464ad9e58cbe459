/** The standard streams of the process: what becomes of them when their reader or their terminal goes away. */
import { closeSync, fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import { EXIT, HabitusError } from '../core/errors.js';

/** What was asked for is done, but what it came to could not be written. */
export class OutputError extends HabitusError {
  readonly exitCode = EXIT.buildFailed;
}

type StandardStream = NodeJS.WriteStream;

/**
 * Errors of the streams never end the process: a build must clean up first. A reader that went away is no error, as in
 * `habitus 2>&1 | head`; nor is progress that cannot be written.
 * @returns resolves when standard output has taken all: with the error, where it could not
 */
export function watchStreams(
  stdout: StandardStream,
  stderr: StandardStream,
): () => Promise<OutputError | undefined> {
  let problem: OutputError | undefined;
  stderr.on('error', () => undefined);
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isGone(error, stdout)) return;
    problem ??= new OutputError(`standard output cannot be written: ${error.message}`, {
      cause: error,
      hint: 'The result is lost, but what was done stays done: send the output elsewhere next time.',
    });
  });
  return async () => {
    // Who pipes into it ends it, once it has taken all.
    if (!stdout.writableEnded && !stdout.destroyed) {
      await new Promise<void>((resolve) => {
        stdout.write('', () => {
          resolve();
        });
      });
    }
    return problem;
  };
}

function isGone({ code }: NodeJS.ErrnoException, { isTTY }: { readonly isTTY?: boolean }): boolean {
  return code === 'EPIPE' || code === 'ECONNRESET' || (code === 'EIO' && isTTY === true);
}

/**
 * For the very end of the process: Node aborts there (SIGABRT) when it cannot give a terminal its settings back, because it is
 * gone; what is closed it leaves alone.
 */
export function releaseLostTerminal(): void {
  for (const fd of [0, 1, 2]) {
    try {
      if (fstatSync(fd).isCharacterDevice() && !isatty(fd)) closeSync(fd);
    } catch {
      // It is closed already.
    }
  }
}

/** What the program touches of its process; tests bring their own. */
import type { Writable } from 'node:stream';
import type { Build } from '../core/api.js';
import { UsageError } from '../core/errors.js';
import type { CheckImage, Prove, Squash } from '../core/image-api.js';
import type { Output } from '../report/reporter.js';

/** Standard output or standard error. */
export interface Stream extends Output {
  readonly isTTY?: boolean | undefined;
}

export type StopSignal = 'SIGINT' | 'SIGTERM';

export interface World {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signals: {
    on(signal: StopSignal, listener: () => void): unknown;
    off(signal: StopSignal, listener: () => void): unknown;
  };
  /** Hear of errors that nobody caught. */
  onCrash(listener: (error: unknown) => void): void;
  /** End the process at once. */
  exit(code: number): void;
  /** Standard output for bytes. */
  openStdout(): Writable;
  /** Loaded when it is needed: `--help` must not wait for what talks to engines. */
  loadLibrary(): Promise<Library>;
}

/** The package, as far as the program uses it. */
export interface Library {
  readonly build: Build;
  readonly squash: Squash;
  readonly checkImage: CheckImage;
  readonly prove: Prove;
}

export function processWorld(): World {
  // A reader that went away (`habitus 2>&1 | head`) must not end a build half-way.
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    throw new UsageError(`standard output cannot be written: ${error.message}`, { cause: error });
  });
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signals: process,
    // Rejections that nobody handles arrive here too.
    onCrash: (listener) => process.on('uncaughtException', listener),
    exit: (code) => process.exit(code),
    openStdout: () => process.stdout,
    loadLibrary: () => import('../index.js'),
  };
}

/** What the program touches of its process; tests bring their own. */
import type { Writable } from 'node:stream';
import type { Build } from '../core/api.js';
import type { CheckImage, Prove, Squash } from '../core/image-api.js';
import type { CollectGarbage, ListSessions } from '../core/session-api.js';
import type { Output } from '../report/reporter.js';
import { releaseLostTerminal, watchStreams, type OutputError } from './streams.js';

/** Standard output or standard error. */
export interface Stream extends Output {
  readonly isTTY?: boolean | undefined;
}

/** `SIGHUP` tells of a lost terminal. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

export interface World {
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** Resolves when standard output has taken all that was written: with the error, where it could not. */
  flushed(): Promise<OutputError | undefined>;
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
  /** `--help` must not wait for what talks to engines. */
  loadLibrary(): Promise<Library>;
}

/** The package, as far as the program uses it. */
export interface Library {
  readonly build: Build;
  readonly squash: Squash;
  readonly checkImage: CheckImage;
  readonly prove: Prove;
  readonly listSessions: ListSessions;
  readonly collectGarbage: CollectGarbage;
}

export function processWorld(): World {
  process.on('exit', releaseLostTerminal);
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    flushed: watchStreams(process.stdout, process.stderr),
    env: process.env,
    signals: process,
    // Rejections that nobody handles arrive here too.
    onCrash: (listener) => process.on('uncaughtException', listener),
    exit: (code) => process.exit(code),
    openStdout: () => process.stdout,
    loadLibrary: () => Promise.resolve(LIBRARY),
  };
}

/** Of each function only what it needs is loaded, by its first call. */
const LIBRARY: Library = {
  build: async (options) => (await import('../build.js')).build(options),
  squash: async (options) => (await import('../images.js')).squash(options),
  checkImage: async (options) => (await import('../images.js')).checkImage(options),
  prove: async (options) => (await import('../images.js')).prove(options),
  listSessions: async (options) => (await import('../sessions.js')).listSessions(options),
  collectGarbage: async (options) => (await import('../sessions.js')).collectGarbage(options),
};

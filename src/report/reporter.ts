/** Chooses the display of a build's progress. All displays write to one stream and share one interface. */
import type { BuildResult } from '../core/api.js';
import type { Emit } from '../core/events.js';
import { createJsonReporter } from './json.js';
import { createPlainReporter } from './plain.js';
import { createQuietReporter } from './quiet.js';
import { createTtyReporter } from './tty.js';

export const REPORTER_KINDS = ['tty', 'plain', 'json', 'quiet'] as const;
export type ReporterKind = (typeof REPORTER_KINDS)[number];

export interface Reporter {
  /** Takes one event; never throws. */
  readonly emit: Emit;
  /** Show how the build ended, as the last thing. */
  finish(result: BuildResult): void;
  /** Leave the stream as it was found: timers stopped, cursor shown. Can be called twice. */
  close(): void;
}

/** A terminal or anything else that takes text; `columns` and `rows` are read anew for each picture. */
export interface Output {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export interface ReporterOptions {
  readonly kind: ReporterKind;
  readonly stream: Output;
  readonly color: boolean;
  /** Leave out what builds and commands print; the last lines of failures are shown all the same. */
  readonly suppress: boolean;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export function createReporter(options: ReporterOptions): Reporter {
  switch (options.kind) {
    case 'tty':
      return createTtyReporter(options);
    case 'plain':
      return createPlainReporter(options);
    case 'json':
      return createJsonReporter(options);
    case 'quiet':
      return createQuietReporter(options);
  }
}

/** Progress for programs: one event a line, as JSON. */
import type { Reporter, ReporterOptions } from './reporter.js';

/** What JSON leaves as it is although a terminal may act on it: DEL, C1 controls, line separators, bidi controls. */
const RAW_CONTROLS = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export function createJsonReporter({
  stream,
  suppress,
}: Pick<ReporterOptions, 'stream' | 'suppress'>): Reporter {
  return {
    emit(event) {
      if (suppress && event.type === 'output') return;
      stream.write(`${toJson(event)}\n`);
    },
    finish() {
      // `build-finished` and the steps' own events have said it.
    },
    close() {
      // Nothing is held.
    },
  };
}

/** JSON in one line that is harmless on a terminal too. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replace(
    RAW_CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

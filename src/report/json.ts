/** Progress for programs: one event a line, as JSON. */
import type { Reporter, ReporterOptions } from './reporter.js';

/** What JSON leaves as it is although a terminal may act on it: DEL, C1 controls, line separators, bidi controls, what is invisible. */
const RAW_CONTROLS = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

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

/**
 * JSON that is harmless on a terminal too.
 * @param indent spaces a level; absent: all in one line
 */
export function toJson(value: unknown, indent?: number): string {
  return escapeControls(JSON.stringify(value, null, indent));
}

/** JSON of others made harmless on a terminal. */
export function escapeControls(json: string): string {
  return json.replace(
    RAW_CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

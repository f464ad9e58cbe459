/** No progress at all: only the failures and the final table. */
import { reduce } from './reduce.js';
import type { Reporter, ReporterOptions } from './reporter.js';
import { createPaint } from './style.js';
import { summarize } from './summary.js';
import { EMPTY_VIEW } from './view.js';

export function createQuietReporter({ stream, color }: Pick<ReporterOptions, 'stream' | 'color'>): Reporter {
  const paint = createPaint(color);
  let view = EMPTY_VIEW;
  return {
    emit(event) {
      view = reduce(view, event);
    },
    finish(result) {
      stream.write(`${summarize(result, view, paint).join('\n')}\n`);
    },
    close() {
      // Nothing is held.
    },
  };
}

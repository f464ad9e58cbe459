/** No progress at all: only the failures and the final table. */
import { LiveView } from './reduce.js';
import type { Reporter, ReporterOptions } from './reporter.js';
import { createPaint } from './style.js';
import { summarize } from './summary.js';

export function createQuietReporter({ stream, color }: Pick<ReporterOptions, 'stream' | 'color'>): Reporter {
  const paint = createPaint(color);
  const view = new LiveView();
  return {
    emit(event) {
      view.add(event);
    },
    finish(result) {
      stream.write(`${summarize(result, view, paint).join('\n')}\n`);
    },
    close() {
      // Nothing is held.
    },
  };
}

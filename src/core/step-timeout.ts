/** The timeout of one step: what works longer is stopped, and has failed with what it was at. */
import { writeDuration } from './duration.js';
import { StepError } from './errors.js';
import type { PlannedStep } from './plan.js';
import type { StepReporter } from './step-reporter.js';
import { TimeLimit } from './time-limit.js';

/**
 * @param work is handed a signal that is aborted when time is up, or with the one given; it settles once all is stopped
 * @throws StepError when time was up, else what the work throws
 */
export async function withinTimeout<T>(
  { label, timeoutMs }: PlannedStep,
  report: StepReporter,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return work(signal);
  // What it was at is asked when time is up: the stop itself makes instructions fail.
  using limit = new TimeLimit(
    timeoutMs,
    () =>
      new StepError({
        message: `${label} took longer than its timeout of ${writeDuration(timeoutMs)}`,
        ...report.atWork(),
        hint: 'Find out what it waits for, or give it a longer "timeout" in the build file.',
      }),
  );
  try {
    return await work(AbortSignal.any([signal, limit.signal]));
  } catch (error) {
    if (signal.aborted || !limit.signal.aborted) throw error;
    throw limit.signal.reason;
  }
}

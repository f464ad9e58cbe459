/** Numbers of several runs: pure functions. */

/** The middle of the values, or the mean of the middle two; NaN of none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return Number.isInteger(half) ? (sorted[half - 1] + sorted[half]) / 2 : sorted[Math.floor(half)];
}

/**
 * One program's runs of one case, told in few numbers. The peak of memory is the greatest of all runs: a bound has to hold each time.
 * @param runs of each: seconds that passed, seconds of processors' time, peak in megabytes
 */
export function summarize(runs) {
  const walls = runs.map(({ wall }) => wall);
  return {
    runs: runs.length,
    wall: median(walls),
    least: Math.min(...walls),
    most: Math.max(...walls),
    cpu: median(runs.map(({ cpu }) => cpu)),
    megabytes: Math.max(...runs.map(({ megabytes }) => megabytes)),
  };
}

/** The ratios of two runs of the same round, for a machine's speed drifts: the median of them, the least and the greatest. */
export function compare(ours, theirs) {
  const rounds = ours.slice(0, theirs.length).map(({ wall }, round) => wall / theirs[round].wall);
  return { ratio: median(rounds), least: Math.min(...rounds), most: Math.max(...rounds) };
}

/** Three significant digits, and never more than milliseconds: `0.047`, `1.23`, `12.3`, `123`. */
export function seconds(value) {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

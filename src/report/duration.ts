/** Durations as people read them: `840 ms`, `12.4 s`, `2 min 05 s`, `1 h 02 min`. */

const pad = (value: number): string => String(value).padStart(2, '0');

/** @param ms milliseconds; what is negative or not a number counts as none */
export function formatDuration(ms: number): string {
  const whole = Number.isFinite(ms) ? Math.max(0, Math.round(ms)) : 0;
  if (whole < 1000) return `${whole} ms`;
  const tenths = Math.round(whole / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(whole / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  const minutes = Math.round(whole / 60_000);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** Sizes as people read them, in decimal units as Docker shows them. */

const UNITS = ['kB', 'MB', 'GB', 'TB'] as const;

/** `840 B`, `1.2 kB`, `35.0 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let size = bytes / 1000;
  let unit = 0;
  // What rounds to 1000 belongs to the next unit.
  while (size >= 999.95 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** A clock that nobody sets, in milliseconds from any beginning: `performance` is one too, but Node loads a module for it. */
export function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

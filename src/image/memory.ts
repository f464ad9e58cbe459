/** Flat arrays that grow, and whose memory goes back at once: it would otherwise wait for a collection that comes late. */

/** The next capacity: half as much again. */
export function grown(capacity: number): number {
  return Math.ceil(capacity * 1.5);
}

/** Moves what is in the smaller array into the larger, and returns that; the smaller is empty afterwards. */
export function extended<T extends FlatArray>(smaller: T, larger: T): T {
  larger.set(smaller);
  release(smaller);
  return larger;
}

/** The array is empty afterwards. */
export function release(array: FlatArray): void {
  const { buffer } = array;
  // A transferred buffer's memory belongs to the copy, which is young and dies with the next small collection.
  if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
}

interface FlatArray extends ArrayBufferView {
  set(source: ArrayLike<number>): void;
  readonly length: number;
  [index: number]: number;
}

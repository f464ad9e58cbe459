/** Paths as latin1 strings (one character a byte): their order, their form for people and for the file system. */

const SLASH = 0x2f;

/** fsutil's order: component by component, each by its bytes, a folder before its children. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return (x === SLASH ? -1 : x) - (y === SLASH ? -1 : y);
  }
  return a.length - b.length;
}

/** For messages: quoted, decoded as UTF-8, control characters escaped. */
export function shown(path: string): string {
  const text = Buffer.from(path, 'latin1').toString('utf8');
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The bytes of a path below a folder, for calls of the file system. */
export function locate(directory: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')]);
}

export function toLatin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** `''` for a path of one component. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Text where that means the same bytes: twice as fast. */
export function locationOf(directory: string, path: string): string | Buffer {
  return NOT_ASCII.test(path) ? locate(directory, path) : `${directory}/${path}`;
}

const NOT_ASCII = /[^\0-\x7f]/;

/** Where a path is in a list, in the order of `comparePaths`, or would have to be put: the place of the first one not before it. */
export function placeOf(paths: readonly string[], path: string, start = 0, end = paths.length): number {
  let [low, high] = [start, end];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePaths(paths[middle] ?? '', path) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Names of layer entries: their one spelling, what makes one hostile, and the names that mean a deletion. */
import type { LayerProblem } from './errors.js';

/** `.wh.X` in a layer says that X of the layers below is gone (OCI image spec, "Whiteouts"). */
export const WHITEOUT = '.wh.';
/** In a folder: nothing of the layers below is seen in it. */
export const OPAQUE = '.wh..wh..opq';
/** AUFS's own bookkeeping, without meaning to others. */
const PRIVATE = '.wh..wh.';

/** Limits of Linux: NAME_MAX, and PATH_MAX without its NUL. */
const NAME_MAX = 255;
const PATH_MAX = 4095;

const SLASH = 0x2f;
const DOT = 0x2e;

/** What an entry's name means. Paths are latin1, `/`-separated, without leading, trailing or double slashes; `''` is the root. */
export interface EntryName {
  readonly kind: 'path' | 'whiteout' | 'opaque' | 'ignored';
  /** Of the file itself, of what is deleted, or of the folder that is opaque. */
  readonly path: string;
  /** Why no image that this program makes may have such an entry. */
  readonly problem: LayerProblem | undefined;
}

/**
 * Says what a name of a layer's entry means. Engines take names apart leniently, so a name with a problem still has a
 * path where one can be made out; `..` and paths that no file can have have none.
 */
export function readEntryName(raw: string): EntryName {
  const { path, problem } = normalizePath(raw);
  if (path === undefined) return { kind: 'ignored', path: '', problem };
  if (!path.includes(WHITEOUT)) return { kind: 'path', path, problem };
  return readWhiteout(path, problem);
}

/** The one spelling of a path, and what is wrong with it. */
export function normalizePath(raw: string): {
  readonly path: string | undefined;
  readonly problem: LayerProblem | undefined;
} {
  let plain = true;
  let problem: LayerProblem | undefined;
  let from = 0;
  if (raw.length === 0) return { path: undefined, problem: hostile('has an entry without a name', raw) };
  if (raw.charCodeAt(0) === SLASH) problem = hostile('has an entry with an absolute name', raw);
  for (let i = 0; i <= raw.length; i++) {
    const code = i === raw.length ? SLASH : raw.charCodeAt(i);
    if (code < 0x20 || code === 0x7f)
      problem ??= hostile('has an entry with a control character in its name', raw);
    if (code !== SLASH) continue;
    const length = i - from;
    const dot = length > 0 && length <= 2 && raw.charCodeAt(from) === DOT;
    if (dot && length === 2 && raw.charCodeAt(from + 1) === DOT) {
      return { path: undefined, problem: hostile('has an entry that leaves its folder', raw) };
    }
    // One slash at the end marks a folder and is cut below.
    if ((length === 0 && i < raw.length) || (dot && length === 1)) plain = false;
    if (length > NAME_MAX + (raw.startsWith(WHITEOUT, from) ? WHITEOUT.length : 0))
      problem ??= hostile(`has an entry with a name over ${NAME_MAX} bytes`, raw);
    from = i + 1;
  }
  const path = plain ? (raw.endsWith('/') ? raw.slice(0, -1) : raw) : squeeze(raw);
  if (path.length <= PATH_MAX) return { path, problem };
  return { path: undefined, problem: hostile(`has an entry with a path over ${PATH_MAX} bytes`, raw) };
}

function squeeze(raw: string): string {
  return raw
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function readWhiteout(path: string, problem: LayerProblem | undefined): EntryName {
  const slash = path.lastIndexOf('/');
  const folder = slash === -1 ? '' : path.slice(0, slash);
  const base = path.slice(slash + 1);
  if (`/${folder}`.includes(`/${PRIVATE}`)) return { kind: 'ignored', path: '', problem };
  if (`/${folder}`.includes(`/${WHITEOUT}`)) {
    return { kind: 'ignored', path: '', problem: problem ?? hostile('has an entry inside a whiteout', path) };
  }
  if (!base.startsWith(WHITEOUT)) return { kind: 'path', path, problem };
  if (base === OPAQUE) return { kind: 'opaque', path: folder, problem };
  if (base.startsWith(PRIVATE)) return { kind: 'ignored', path: '', problem };
  const deleted = base.slice(WHITEOUT.length);
  if (deleted === '' || deleted === '.' || deleted === '..') {
    return { kind: 'ignored', path: '', problem: hostile('has a whiteout of no name', path) };
  }
  return { kind: 'whiteout', path: slash === -1 ? deleted : `${folder}/${deleted}`, problem };
}

function hostile(text: string, name: string): LayerProblem {
  return { trouble: 'hostile-name', text: `${text}: ${quoted(name)}`, entry: printable(name) };
}

/** In quotes, printable, and short enough for a message. */
export function quoted(name: string): string {
  return `"${printable(name.length > 80 ? `${name.slice(0, 77)}...` : name)}"`;
}

/** ASCII without control characters; every other byte as `\xHH`, so that no terminal obeys a name. */
export function printable(name: string): string {
  return name.replace(
    /[^ -~]|["\\]/g,
    (c) => `\\${c === '"' || c === '\\' ? c : `x${c.charCodeAt(0).toString(16).padStart(2, '0')}`}`,
  );
}

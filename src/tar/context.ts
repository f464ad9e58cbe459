/** What a build sees as its context: files of a folder overlaid by artifacts, as one ordered list of entries. */
import type { Readable } from 'node:stream';
import type { LocalFile } from './local-file.js';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';

/**
 * One entry. Names are latin1 strings: one character a byte, so that any file name passes unchanged
 * (`Buffer.from(path, 'latin1')` gives the bytes).
 */
export interface ContextEntry {
  /** Relative, `/`-separated, no leading `/` or `./`, no trailing `/`. */
  readonly path: string;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for anything but a file. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  /** Symlink: its target as it is. Hard link: the path of an earlier `file` entry. */
  readonly linkname?: string;
  readonly devMajor?: number;
  readonly devMinor?: number;
  /** Extended attributes, names and values as latin1. */
  readonly xattrs?: ReadonlyMap<string, string>;
}

/** An ordered tree of entries with access to their contents. Contents are never held in memory. */
export interface BuildContext {
  /**
   * All entries, sorted by path component bytes, each folder before its children (so `a`, `a/b`, `a-b`): the order that
   * fsutil wants. Every parent folder of an entry is itself an entry. The root is not. They come without waiting where all of
   * them are known and nothing is made of them on the way; as an EntryList where, besides, none has to be kept.
   */
  entries(signal: AbortSignal): AsyncIterable<ContextEntry> | Iterable<ContextEntry>;
  /**
   * Content of a `file` entry that `entries` gave. Delivers exactly `entry.size` bytes or fails
   * with a UsageError-like message that names the file when it changed or vanished meanwhile.
   */
  open(entry: ContextEntry, signal: AbortSignal): Readable;
  /**
   * As `open`, for a content that is a file of the folder: read into the caller's memory it costs much less. `undefined` for
   * any other; only `open` has it.
   */
  openFile?(entry: ContextEntry): LocalFile | undefined;
}

/** Pieces of an image archive: each file a header, its bytes and padding. The same input gives the same bytes. */
import { encodeHeader, END_MARK } from '../tar/header.js';
import { padded } from '../tar/raw.js';

export { END_MARK };

/** @param size of the body that follows, in bytes */
export function fileHeader(path: string, size: number): Buffer {
  return encodeHeader({ path, type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtimeNs: 0n });
}

/** What fills the last block of a body. */
export function filePadding(size: number): Buffer {
  return Buffer.alloc(padded(size) - size);
}

/** A small file, whole. */
export function wholeFile(path: string, body: Buffer): Buffer {
  return Buffer.concat([fileHeader(path, body.length), body, filePadding(body.length)]);
}

/** Bytes that a file takes in an archive. */
export function fileSize(path: string, size: number): number {
  return fileHeader(path, size).length + padded(size);
}

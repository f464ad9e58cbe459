/** A tree with everything that a file system can hold, as shell commands; and what an image holds, as lines. */
import { createHash } from 'node:crypto';
import type { Images } from './images.js';

/** Shell commands for busybox that make /tree. */
export const ODD_TREE: readonly string[] = [
  'mkdir -p /tree/empty "/tree/with space/deep" /tree/sticky /tree/setgid /tree/closed',
  'cd /tree',
  'echo setuid > setuid && chown 1000:2000 setuid && chmod 4755 setuid',
  'echo secret > mode0 && chmod 0000 mode0',
  'echo odd > "with space/ file " && echo deep > "with space/deep/file"',
  'echo newline > "$(printf "new\\nline")"',
  'echo utf8 > "$(printf "na\\303\\257ve")"',
  'chown 7:8 empty && chmod 1777 sticky && chown 0:50 setgid && chmod 2750 setgid',
  'echo inside > closed/file && chmod 0500 closed && chmod 0400 closed/file',
  'echo linked > one && ln one two && ln one "with space/three" && chmod 640 one',
  'ln -s nowhere/at/all dangling && ln -s /etc/passwd absolute && ln -s one relative && ln -s sticky folder',
  'chown -h 3:4 relative',
  ': > nothing',
  "find . -exec touch -h -d '2001-02-03 04:05:06' {} +",
  "touch -h -d '1999-12-31 23:59:59' one relative . sticky",
];

export const NOT_UTF8 = 'echo bytes > "$(printf "bytes\\377\\001")"';

/** One path of an image. */
export interface Line {
  readonly path: string;
  readonly type: string;
  /** Octal. */
  readonly mode: string;
  readonly owner: string;
  readonly mtime: string;
  readonly target: string;
  readonly content: string;
}

/** What a folder of an image holds, sorted by path; the folder itself is `.`. */
export async function listing(images: Images, image: string, folder: string): Promise<readonly Line[]> {
  const name = folder.slice(folder.lastIndexOf('/') + 1);
  const lines = [...(await images.files(image, folder))].map(([path, { entry, content }]) => ({
    path: path === name ? '.' : path.slice(name.length + 1),
    type: entry.type,
    mode: (entry.mode & 0o7777).toString(8),
    owner: `${entry.uid}:${entry.gid}`,
    mtime: new Date(Number(entry.mtimeNs / 1_000_000n)).toISOString(),
    target: entry.linkname,
    content: content.length < 40 ? content.toString() : createHash('sha256').update(content).digest('hex'),
  }));
  return lines.sort((a, b) => (a.path < b.path ? -1 : 1));
}

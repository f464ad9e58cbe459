/** Folders for tests, made and removed around each of them; and trees written down as short lists. */
import { lstat, mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { ContextEntry } from '../../src/tar/context.js';
import { locate, parentOf } from '../../src/tar/paths.js';

/** A fresh folder for each test of a file; call it at top level. */
export function temporaryFolder(): { readonly path: string } {
  const folder = { path: '' };
  beforeEach(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'habitus-test-'));
  });
  afterEach(async () => {
    await rm(folder.path, { recursive: true, force: true });
  });
  return folder;
}

/** Until the next write gets another time of change than the last one. @param folder of the file system that is written to */
export async function clockMoved(folder: string): Promise<void> {
  const probe = join(folder, 'probe');
  await writeFile(probe, '');
  const { ctimeNs: before } = await lstat(probe, { bigint: true });
  do await writeFile(probe, '');
  while ((await lstat(probe, { bigint: true })).ctimeNs <= before);
}

/** `a/b/` is a folder, `a -> b` a symlink, `a=content` a file, `a` a file that holds its own path. */
export async function plant(directory: string, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const [path = '', target] = line.split(' -> ');
    const [file = '', content = file] = path.split('=');
    const isFolder = target === undefined && line.endsWith('/');
    await mkdir(locate(directory, isFolder ? path : parentOf(file)), { recursive: true });
    if (target !== undefined) await symlink(Buffer.from(target, 'latin1'), locate(directory, path));
    else if (!isFolder) await writeFile(locate(directory, file), Buffer.from(content, 'latin1'));
  }
}

/** The counterpart of `plant`, with `a => b` for hard links. */
export function lines(entries: Iterable<ContextEntry>): string[] {
  return [...entries].map(({ path, type, linkname = '' }) => {
    switch (type) {
      case 'file':
        return path;
      case 'directory':
        return `${path}/`;
      case 'symlink':
        return `${path} -> ${linkname}`;
      case 'hardlink':
        return `${path} => ${linkname}`;
      case 'character':
      case 'block':
      case 'fifo':
        return `${path} (${type})`;
    }
  });
}

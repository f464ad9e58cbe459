/** What lies where a folder should be. */
import { statSync } from 'node:fs';

export type FolderState = 'folder' | 'missing' | 'other';

export function folderState(path: string): FolderState {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? 'missing' : stats.isDirectory() ? 'folder' : 'other';
  } catch {
    return 'missing';
  }
}

/** Where the build file lies. */
import { join, resolve } from 'node:path';
import type { LoadOptions } from './load.js';

const DEFAULT_FILE = 'build.yml';

/** @returns an absolute path */
export function buildFileOf({ workDirectory, file }: Pick<LoadOptions, 'workDirectory' | 'file'>): string {
  return file === undefined || file === DEFAULT_FILE
    ? join(resolve(workDirectory), DEFAULT_FILE)
    : resolve(file);
}

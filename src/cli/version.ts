/** What `--version` prints. */
import { packageVersion } from '../version.js';

export function versionText(): string {
  return `habitus ${packageVersion()}`;
}

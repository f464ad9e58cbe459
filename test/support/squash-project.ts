/** Build files of the version that knows squash. */
import { buildYml } from './build-project.js';

/** Like `buildYml`, with all keys. */
export function squashYml(steps: Readonly<Record<string, readonly string[]>>): string {
  return buildYml(steps).replace('2016-03-14', '2026-11-22');
}

/** The lines of a cleanup; a command may be a list. */
export function cleanup(
  commands: readonly (string | readonly string[])[],
  more: Readonly<Record<string, string>> = {},
): string[] {
  return [`cleanup: ${JSON.stringify({ commands, ...more })}`];
}

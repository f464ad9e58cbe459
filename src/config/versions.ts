/** Keys and forms that came after the first version of the format. */
import { SCHEMA_VERSIONS, type SchemaVersion } from '../core/plan.js';
import { describe, keyRange, nodeAt, type Checked, type Path } from './issues.js';

/** Keys of a step. */
const NEWER_KEYS: readonly { readonly keys: readonly string[]; readonly since: SchemaVersion }[] = [
  { keys: ['cleanup', 'user'], since: '2026-11-22' },
  { keys: ['cleanup', 'network'], since: '2026-11-22' },
  { keys: ['squash'], since: '2026-11-22' },
  { keys: ['ssh'], since: '2026-11-22' },
  { keys: ['command_cache'], since: '2026-11-22' },
  { keys: ['timeout'], since: '2026-11-22' },
];

export function checkVersion(checked: Checked, stepPath: Path, version: SchemaVersion): void {
  const step = nodeAt(checked.root, stepPath);
  if (step === undefined) return;
  for (const { keys, since } of NEWER_KEYS) {
    const node = nodeAt(step, keys);
    if (node === undefined || node.kind === 'empty' || (node.kind === 'text' && node.text === '')) continue;
    requireVersion(checked, [...stepPath, ...keys], version, since);
  }
}

/**
 * By what is written: a faulty value of a key that is too new is told as both at once. Nothing is said where there is none.
 * @param form what of it is new, to stand before its name, e.g. `the short form of `
 */
export function requireVersion(
  { root, problems, source }: Checked,
  path: Path,
  version: SchemaVersion,
  since: SchemaVersion,
  form = '',
): void {
  if (SCHEMA_VERSIONS.indexOf(version) >= SCHEMA_VERSIONS.indexOf(since)) return;
  const message = `${form}${describe(path)} needs version ${since}`;
  problems.add(source.error(message, keyRange(root, path), `write "version: ${since}"`));
}

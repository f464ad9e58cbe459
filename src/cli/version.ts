/** The version of the package, as its package.json states it. */
import { readFileSync } from 'node:fs';

export function versionText(): string {
  // Both src/cli and dist/cli lie two folders below it.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return `habitus ${version}`;
}

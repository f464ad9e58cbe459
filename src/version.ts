/** The version of the package, as its package.json states it. */
import { readFileSync } from 'node:fs';

export function packageVersion(): string {
  // Both src and dist lie beside it.
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

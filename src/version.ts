/** The version of the package, as its package.json states it. */
import { createRequire } from 'node:module';

export function packageVersion(): string {
  // By its own name it is found from wherever this was compiled to.
  return (createRequire(import.meta.url)('habitus/package.json') as { readonly version: string }).version;
}

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

/** Every module that is loaded before the first line of `from` runs: files of the program and packages. */
async function loadedBy(from: URL, seen = new Set<string>()): Promise<ReadonlySet<string>> {
  if (seen.has(from.href)) return seen;
  seen.add(from.href);
  const source = await readFile(from, 'utf8');
  for (const [, , specifier = ''] of source.matchAll(
    /^(?:import|export) (?!type )([^;]*? from )?'([^']+)';/gm,
  )) {
    if (specifier.startsWith('.')) await loadedBy(new URL(specifier.replace(/\.js$/, '.ts'), from), seen);
    else seen.add(specifier);
  }
  return seen;
}

test('--help and --version load commander and nothing else that is heavy', async () => {
  const loaded = await loadedBy(new URL('../../src/cli/main.ts', import.meta.url));
  const files = [...loaded].filter((name) => name.startsWith('file:'));
  expect(files.length).toBeGreaterThan(10);
  const packages = [...loaded].filter((name) => !name.startsWith('file:') && !name.startsWith('node:'));
  expect(packages).toEqual(['commander']);
});

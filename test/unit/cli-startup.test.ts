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

const cli = (file: string): URL => new URL(`../../src/cli/${file}.ts`, import.meta.url);

/** Specifiers of packages, without those of Node. */
const packages = (loaded: ReadonlySet<string>): readonly string[] =>
  [...loaded].filter((name) => !name.startsWith('file:') && !name.startsWith('node:'));

test.each([
  ['--version', 'version', 6],
  ['--help', 'help', 12],
])('%s loads no package, and few files', async (_, answer, most) => {
  const loaded = await loadedBy(cli(answer), new Set(await loadedBy(cli('main'))));
  const files = [...loaded].filter((name) => name.startsWith('file:'));
  expect(files.length).toBeGreaterThan(3);
  expect(files.length).toBeLessThanOrEqual(most);
  expect(packages(loaded)).toEqual([]);
});

test('other command lines are read with commander and nothing else that is heavy', async () => {
  expect(packages(await loadedBy(cli('run')))).toEqual(['commander']);
});

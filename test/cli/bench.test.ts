/** `npm run bench`: measures, prints its page, and writes it where it is told. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { ROOT } from '../support/docs.js';

const run = promisify(execFile);

test('a quick run of one case prints what it has measured, and writes a page of it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'habitus-bench-test-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const argv = ['test/bench/bake/main.js', '--quick', '--case', 'startup', '--out', folder];
  const { stdout } = await run(process.execPath, argv, { cwd: ROOT });
  expect(await readdir(folder)).toEqual(['bake.md']);
  for (const text of [stdout, await readFile(join(folder, 'bake.md'), 'utf8')]) {
    for (const command of ['node -e 0', 'habitus --version', 'habitus --help']) {
      expect(text).toMatch(new RegExp(`^\\| \`${command}\` +\\| +0\\.\\d{3} s .* \\d+ MB \\|$`, 'm'));
    }
    expect(text).not.toContain('## Builds');
  }
});

/** The package that npm makes of the project: installed for the machine, its program and its types are there. */
import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { ROOT } from '../support/docs.js';

const run = promisify(execFile);

test('npm pack and npm install --global give a habitus that runs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'habitus-install-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const packed = await run('npm', ['pack', '--pack-destination', folder], { cwd: ROOT });
  const archive = join(folder, packed.stdout.trim().split('\n').at(-1) ?? '');
  const prefix = join(folder, 'prefix');
  const quiet = ['--no-audit', '--no-fund'];
  await run('npm', ['install', '--global', '--prefix', prefix, ...quiet, archive], { cwd: folder });

  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const habitus = join(prefix, 'bin/habitus');
  expect((await run(habitus, ['--version'])).stdout).toContain(version);
  const { stdout } = await run(habitus, ['-d', join(ROOT, 'examples/from-step'), '--print']);
  expect(JSON.parse(stdout)).toMatchObject({ steps: [{ label: 'base' }, { label: 'app' }] });
  await access(join(prefix, 'lib/node_modules/habitus/dist/index.d.ts'));
});

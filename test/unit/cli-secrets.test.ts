/** Secrets on the command line of the real program, as far as it needs no engine. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runOffline } from '../support/cli-offline.js';
import { archive } from '../support/image-archives.js';
import { tar } from '../support/image-tar.js';

const TOKEN = 'k7Qz2mXv9Lw4Rt8s';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'habitus-cli-'));
  vi.stubEnv('CLI_TOKEN', TOKEN);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const run = (...args: string[]) => runOffline(folder, args);

const file = (name: string, content: string) => ({ name, type: '0' as const, body: Buffer.from(content) });

async function image(...contents: string[]): Promise<string> {
  const layers = contents.map((content, index) => tar([file(`file${index}`, content)]));
  await writeFile(join(folder, 'in.tar'), archive({ layers, tag: 'app:1' }, 'docker28'));
  return join(folder, 'in.tar');
}

describe('prove', () => {
  test('finds a secret in a file of an archive, and does not show it', async () => {
    const input = await image('nothing', `token=${Buffer.from(TOKEN).toString('base64')}`);
    const { code, out, err } = await run('prove', input, '--secret', 'env:CLI_TOKEN');
    expect(code, err).toBe(1);
    expect(out).toMatch(/^found: env:CLI_TOKEN \(base64.*\) in .*file1\n/);
    expect(out).toContain('✗ not clean: 1 trace of secrets (2 layers, ');
    expect(out + err).not.toContain(TOKEN);
  });

  test('leaves out the layers of the base, and writes what it has searched', async () => {
    const input = await image(TOKEN, 'nothing');
    const proof = join(folder, 'proof.json');
    const { code, out, err } = await run(
      ...['prove', input, '--secret', 'env:CLI_TOKEN', '--base', '1', '--proof', proof],
    );
    expect(code, err).toBe(0);
    expect(out).toContain('✓ clean: no trace of 1 secret (1 layer, ');
    expect(JSON.parse(await readFile(proof, 'utf8'))).toMatchObject({ clean: true, findings: [] });
  });

  test('says which secret is missing, and reads no image then', async () => {
    const { code, out, err } = await run(
      ...['prove', join(folder, 'none.tar'), '--secret', 'env:CLI_NO_SUCH', '--progress', 'quiet'],
    );
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('CLI_NO_SUCH');
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a build', () => {
  const build = async (dockerfile: string, ...args: string[]) => {
    const yml =
      'build:\n  version: 2026-11-22\n  steps:\n    app:\n      name: app\n      secrets: { token: { env: CLI_TOKEN } }\n';
    await writeFile(join(folder, 'build.yml'), yml);
    await writeFile(join(folder, 'Dockerfile'), dockerfile);
    return run('-d', folder, ...args);
  };

  test('is refused where a Dockerfile or --build holds a secret, before any engine is asked', async () => {
    const { code, out, err } = await build(`FROM scratch\nENV T=${TOKEN}\n`, '--build', `ARG=x${TOKEN}`);
    expect(code).toBe(2);
    expect(err).toContain('error: --build ARG holds the value of the secret "token"\n');
    expect(err).toContain('Dockerfile:2:5: error: ENV T holds the value of the secret "token"\n');
    expect(err).toContain('  2 | ENV T=***\n    |     ^~~~~\n');
    expect(err).toContain('error: 2 problems; nothing was built\n');
    expect(out + err).not.toContain(TOKEN);
  });

  test('is refused where a secret is missing, before any engine is asked', async () => {
    vi.stubEnv('CLI_TOKEN', undefined);
    const { code, err } = await build('FROM scratch\n');
    expect(code).toBe(2);
    expect(err).toContain('CLI_TOKEN');
  });

  test('is refused with --secrets=false, and goes on to the engine without', async () => {
    const refused = await build('FROM scratch\n', '--secrets=false');
    expect(refused.code).toBe(2);
    expect(refused.err).toContain(
      '"token" of "secrets" of step "app" is of type "env", which is not allowed',
    );
    expect(await build('FROM scratch\n')).toMatchObject({ code: 3 });
  });

  test.each(['0.0.0.0', '::', '[::]'])(
    'is refused with --binding %s, before any engine is asked',
    async (address) => {
      const { code, err } = await build('FROM scratch\n', '--binding', address);
      expect(code).toBe(2);
      expect(err).toContain(
        `error: --binding ${address} is no address that RUN could call\n` +
          '  → Give the one address of this machine that build containers can reach.\n',
      );
    },
  );

  test('says with --print which flags are no longer needed', async () => {
    const told = await build('FROM scratch\n', '--print', '--use-stat');
    expect(told).toMatchObject({ code: 0, err: 'note: --use-stat is no longer needed\n' });
    expect(await build('FROM scratch\n', '--print', '--use-stat', '--log-level=warn')).toMatchObject({
      err: '',
    });
  });

  test('shows with --print where secrets come from, and reads none', async () => {
    vi.stubEnv('CLI_TOKEN', undefined);
    const { code, out, err } = await build('FROM scratch\n', '--print');
    expect(code, err).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      steps: [{ secrets: [{ name: 'token', type: 'env', value: 'CLI_TOKEN' }], ssh: [] }],
    });
  });
});

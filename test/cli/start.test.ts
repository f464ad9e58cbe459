/** `npm start`: a real build that tells at its end what it made and how long each step took; again, it reuses that. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { ROOT } from '../support/docs.js';
import { engines, type TestEngine } from '../support/engines.js';
import { Images } from '../support/images.js';

const MINUTES = 60_000;

interface Started {
  readonly code: number | null;
  readonly output: string;
}

/** As a user types it, with an empty HOME and an engine that is no user's. */
async function npmStart(engine: TestEngine): Promise<Started> {
  const home = await mkdtemp(join(tmpdir(), 'habitus-start-'));
  atEnd(() => rm(home, { recursive: true, force: true }));
  const env = { PATH: process.env['PATH'], HOME: home, DOCKER_HOST: engine.host };
  const child = spawn('npm', ['start'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  atEnd(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** What the last screen says, with times and IDs replaced. */
function lastScreen(output: string): string {
  return output
    .slice(output.indexOf('\n✓  toolchain') + 1)
    .replaceAll(/ *\b(\d+ min )?\d+(\.\d+)?\s(ms|s)\b/g, ' <time>')
    .replaceAll(/ +(?=not kept|habitus)/g, ' ')
    .replaceAll(/ +[0-9a-f]{12}$/gm, ' <image>')
    .replaceAll(/session [0-9a-z]{12}/g, 'session <id>')
    .replaceAll(/\d+ bytes/g, '<size> bytes')
    .replace(/^npm notice.*$\n?/gm, '')
    .trimEnd();
}

const LAST_SCREEN = `
✓  toolchain <time> habitus.invalid/iron-mountain/toolchain:latest <image>
✓  compile <time> not kept
✓  runtime <time> not kept
✓  api <time> habitus.invalid/iron-mountain/api:latest <image>
✓  web <time> habitus.invalid/iron-mountain/web:latest <image>
✓  upload <time> habitus.invalid/iron-mountain/upload:latest <image>

✓ built 6 images in <time> (session <id>)
start: the bucket received /iron-mountain, <size> bytes
start: done in <time>
`.trim();

test(
  'it builds the main example, tells every image and time, and the second time reuses what is there',
  { timeout: 10 * MINUTES },
  async () => {
    const [engine] = engines();
    if (engine === undefined) throw new Error('no engine');

    const first = await npmStart(engine);
    expect(first, first.output).toMatchObject({ code: 0 });
    expect(lastScreen(first.output)).toBe(LAST_SCREEN);
    expect(first.output).toMatch(/compile +\| squashed: /);

    const second = await npmStart(engine);
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(lastScreen(second.output)).toBe(LAST_SCREEN);
    expect(second.output).toMatch(/RUN apt-get .* · cached$/m);

    const images = new Images(engine);
    const bin = await images.files('habitus.invalid/iron-mountain/web:latest', '/usr/local/bin');
    expect(bin.get('bin/latest')?.entry).toMatchObject({ type: '2', linkname: 'iron-mountain' });
    expect(bin.get('bin/iron-mountain')?.content.subarray(1, 4).toString()).toBe('ELF');
    const api = await images.files(
      'habitus.invalid/iron-mountain/api:latest',
      '/etc/iron-mountain/vault.conf',
    );
    expect(api.size).toBe(1);
  },
);

/** `npm start`: a real build that tells at its end what it made and how long each step took; again, within seconds. */
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

/** On a loaded machine; alone it takes three. */
const SECONDS_AGAIN = 30;

interface Started {
  readonly code: number | null;
  readonly output: string;
  /** As it says itself, without npm. */
  readonly seconds: number;
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
  return { code, output, seconds: Number(/^start: done in ([\d.]+) s$/m.exec(output)?.[1]) };
}

/** What the last screen says, with times and IDs replaced. */
function lastScreen(output: string): string {
  return output
    .slice(output.indexOf('\n✓  compile') + 1)
    .replaceAll(/ *\b\d+(\.\d+)?\s(ms|s)\b/g, ' <time>')
    .replaceAll(/ +(?=not kept|habitus)/g, ' ')
    .replaceAll(/ +[0-9a-f]{12}$/gm, ' <image>')
    .replaceAll(/session [0-9a-z]{12}/g, 'session <id>')
    .replaceAll(/\d+ bytes/g, '<size> bytes')
    .replace(/^npm notice.*$\n?/gm, '')
    .trimEnd();
}

const LAST_SCREEN = `
✓  compile <time> not kept
✓  runtime <time> not kept
✓  api <time> habitus.invalid/iron-mountain/api:latest <image>
✓  web <time> habitus.invalid/iron-mountain/web:latest <image>
✓  upload <time> habitus.invalid/iron-mountain/upload:latest <image>

✓ built 5 images in <time> (session <id>)
start: the bucket received /iron-mountain, <size> bytes
start: done in <time>
`.trim();

test(
  'it builds the main example, tells every image and time, and the second time takes seconds',
  { timeout: 10 * MINUTES },
  async () => {
    const [engine] = engines();
    if (engine === undefined) throw new Error('no engine');

    const first = await npmStart(engine);
    expect(first, first.output).toMatchObject({ code: 0 });
    expect(lastScreen(first.output)).toBe(LAST_SCREEN);
    expect(first.output).toMatch(/compile \| squashed: /);

    const second = await npmStart(engine);
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(lastScreen(second.output)).toBe(LAST_SCREEN);
    expect(second.output).toMatch(/RUN apt-get .* · cached$/m);
    expect(second.seconds).toBeLessThan(SECONDS_AGAIN);

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

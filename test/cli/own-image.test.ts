/** The image of the program itself: built by the program, small, and it builds on the engine whose socket it is given. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { expect, test } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { habitus } from '../support/build-program.js';
import { project, snapshot } from '../support/build-project.js';
import { readPage, ROOT } from '../support/docs.js';
import { anEngine, engines, type TestEngine } from '../support/engines.js';
import { Images, NOTHING } from '../support/images.js';
import { NODE_IMAGE, nodeImageProject } from '../support/node-image.js';

const OWN_IMAGE = 'habitus.invalid/habitus';

/** What the program adds to its Node image, in bytes. */
const LARGEST = 20e6;

const MINUTES = 60_000;

/** Any engine with a socket would do; one is enough. */
function theEngine(): TestEngine & { readonly socket: string } {
  const engine = engines().find(({ name }) => name === 'e28') ?? anEngine();
  const { socket } = engine;
  if (socket === undefined) throw new Error(`${engine.host} is no socket that a container can be given`);
  return { ...engine, socket };
}

async function built(engine: TestEngine, args: readonly string[]): Promise<void> {
  const ended = await habitus(engine, args);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
}

/** Build the Dockerfile of the program by the program. */
async function buildOwnImage(engine: TestEngine): Promise<void> {
  const images = new Images(engine);
  atEnd(async () => {
    for (const name of [OWN_IMAGE, NODE_IMAGE]) await images.remove(name);
  });
  await built(engine, ['-d', await nodeImageProject()]);
  const folder = await mkdtemp(join(tmpdir(), 'habitus-own-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'build.yml');
  const step = `{ name: ${OWN_IMAGE}, args: { NODE_IMAGE: ${NODE_IMAGE} } }`;
  await writeFile(file, `build: { version: 2016-03-14, steps: { habitus: ${step} } }\n`);
  await built(engine, ['-d', ROOT, '-f', file, ...proxies()]);
}

/** Docker knows these build args without a declaration, and keeps them out of the image. */
function proxies(): readonly string[] {
  return ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap(
    (name) => {
      const value = process.env[name];
      return value === undefined ? [] : ['--build', `${name}=${value}`];
    },
  );
}

/** The `docker run` line of the Dockerfile's first comment. */
async function usageOf(): Promise<string> {
  const line = /^# +(docker run .*)$/m.exec(await readFile(join(ROOT, 'Dockerfile'), 'utf8'))?.[1];
  if (line === undefined) throw new Error('the Dockerfile does not say how its image is run');
  return line;
}

/** Run the image as the usage line says, with other paths on the left of its `-v`, and with `args`. */
async function run(
  engine: TestEngine & { readonly socket: string },
  folder: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const usage = await usageOf();
  const volumes = [...usage.matchAll(/-v "?([^\s"]+)/g)].map(([, volume = '']) =>
    volume.replace(/^\/var\/run\/docker\.sock:/, `${engine.socket}:`).replace(/^\$PWD:/, `${folder}:`),
  );
  expect(usage.replaceAll(/ -v ("[^"]*"|\S+)/g, '')).toBe('docker run --rm habitus');
  const docker = new Docker({ socketPath: engine.socket });
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const told = Promise.all([text(stdout), text(stderr)]);
  const [{ StatusCode: code }] = (await docker.run(OWN_IMAGE, [...args], [stdout, stderr], {
    Tty: false,
    HostConfig: { Binds: volumes, AutoRemove: true },
  })) as [{ readonly StatusCode: number }];
  stdout.end();
  stderr.end();
  const [out, err] = await told;
  return { code, stdout: out, stderr: err };
}

test(
  'built by the program itself, it builds on the engine whose socket it is given, and is small',
  { timeout: 10 * MINUTES },
  async () => {
    const engine = theEngine();
    await buildOwnImage(engine);

    const docker = new Docker({ socketPath: engine.socket });
    const sizes = await Promise.all([OWN_IMAGE, NODE_IMAGE].map((name) => docker.getImage(name).inspect()));
    const [own = 0, node = 0] = sizes.map(({ Size }) => Size);
    expect(own - node).toBeGreaterThan(1e6);
    expect(own - node).toBeLessThan(LARGEST);

    const given = await project(engine, {
      'build.yml': [
        'build:',
        '  version: 2016-03-14',
        '  steps:',
        '    compile: { name: "@compile", dockerfile: Dockerfile.compile, artifacts: [/made] }',
        '    ship: { name: "@ship", dockerfile: Dockerfile.ship, depends_on: [compile], command: cat /made }',
        '',
      ].join('\n'),
      'Dockerfile.compile': 'FROM busybox:latest\nLABELLED\nRUN echo "in a container" > /made\n',
      'Dockerfile.ship': 'FROM busybox:latest\nLABELLED\nCOPY made /made\n',
    });
    await chmod(given.directory, 0o755);
    const before = await snapshot(given.directory);
    const ended = await run(engine, given.directory, ['--json']);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(ended.stdout)).toMatchObject({
      status: 'succeeded',
      steps: [{ label: 'compile', names: [] }, { names: [given.name('ship')] }],
    });
    expect(await given.images.text(given.name('ship'), '/made')).toBe('in a container\n');
    expect(await snapshot(given.directory)).toEqual(before);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);

    const wrong = await run(engine, given.directory, ['--no-such-flag']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('unknown flag "--no-such-flag"');
  },
);

test('the docs tell to run it as its Dockerfile does', async () => {
  const { blocks } = await readPage('docs/getting-started.md');
  const commands = blocks.filter(({ language }) => language === 'sh').map((block) => block.text);
  expect(commands.join('')).toContain(`${await usageOf()}\n`);
});

/** Engines that are not there, that die in the middle of a build, and that lose an image meanwhile. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureEngine, stopEngine, type LabOptions } from '../../src/lab/engine.js';
import { homeOf, layoutOf } from '../../src/lab/layout.js';
import { findNamespace, killNamespace } from '../../src/lab/processes.js';
import { speaker } from '../../src/lab/say.js';
import { atEnd } from '../support/build-cleanup.js';
import { Gates } from '../support/build-gates.js';
import { buildProject, built, failureOf } from '../support/build-library.js';
import { buildYml, project, subjects, type Project, type Subject } from '../support/build-project.js';
import { anEngine, engines, type TestEngine } from '../support/engines.js';

const IS_RUNNING = 'Is the engine running? Start it, or name another with --host or DOCKER_HOST.';

async function failureAt(host: string): Promise<{ message: string; hint?: string; ms: number }> {
  const engine = anEngine();
  const given = await project(engine, { 'build.yml': buildYml({ a: [] }), Dockerfile: 'FROM scratch\n' });
  const begun = performance.now();
  try {
    await buildProject({ name: '', engine: { ...engine, host }, builder: 'classic' }, given);
  } catch (error) {
    const { message, hint } = error as Error & { readonly hint: string };
    return { message, hint, ms: performance.now() - begun };
  }
  throw new Error('the build succeeded');
}

describe('where no engine is', () => {
  test('a port that nobody listens at', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    const { message, hint, ms } = await failureAt(`tcp://127.0.0.1:${port}`);
    expect(message).toBe(`No Docker Engine answers at tcp://127.0.0.1:${port} (--host): connection refused`);
    expect(hint).toBe(IS_RUNNING);
    expect(ms).toBeLessThan(5000);
  });

  test('no socket, a socket that nobody listens at, and a folder in its place', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'habitus-faults-'));
    const stale = join(folder, 'stale.sock');
    // Left behind as by a killed engine.
    const leave = `require('node:net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(() => execFileSync(process.execPath, ['-e', leave])).toThrow();
    try {
      const at = async (path: string): Promise<string> => (await failureAt(`unix://${path}`)).message;
      const answers = (path: string, why: string): string =>
        `No Docker Engine answers at unix://${path} (--host): ${why}`;
      expect(await at(join(folder, 'none.sock'))).toBe(
        answers(join(folder, 'none.sock'), 'there is no such socket'),
      );
      expect(await at(stale)).toBe(answers(stale, 'connection refused'));
      expect(await at(folder)).toBe(answers(folder, 'connection refused'));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('something that takes connections and says nothing', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { message, ms } = await failureAt(`tcp://127.0.0.1:${port}`);
    server.close();
    expect(message).toMatch(/ \(--host\) did not answer within 10 s$/);
    expect(ms).toBeLessThan(15_000);
  });
});

/** The first step waits at the gate in its command; the second is made from it. */
async function gated(engine: TestEngine, gates: Gates): Promise<Project> {
  return project(engine, {
    'build.yml': buildYml({
      one: [`command: ${gates.wait('gate')}`],
      two: ['dockerfile: Dockerfile.two', 'depends_on: [one]'],
    }),
    Dockerfile: 'FROM busybox:latest\nLABELLED\n',
    'Dockerfile.two': 'FROM @one\nLABELLED\nRUN true\n',
  });
}

describe.each(subjects().filter(({ engine }) => engine.name !== 'e20'))('on $name', (subject) => {
  test('an image that somebody removes in the middle of a build, however often it is built, is named', async () => {
    const gates = await Gates.start();
    const given = await gated(subject.engine, gates);
    const building = buildProject(subject, given);
    for (let runs = 0; runs < 3; runs += 1) {
      await Promise.race([gates.at('gate').reached, building]);
      const [name = ''] = (await given.images.traces(given.id)).sessionNames;
      await given.images.remove(name);
      gates.pass('gate');
    }
    const { result } = await building;
    const image = given.name('one').replace(':latest', '');
    const said = subject.builder === 'classic' ? `FROM ${image} failed` : image;
    expect(failureOf(result)).toEqual({
      step: 'two',
      message: `${said}: the image is gone from the engine`,
      hint: 'Does something on this engine remove images, e.g. `docker image prune -a`?',
    });
    // Without a name it is nobody's: the engine kept it while the container worked.
    expect(await given.images.traces(given.id)).toMatchObject({ containers: [], sessionNames: [] });
  });
});

// An engine of the developer's choice is not ours to kill.
describe.each(engines().filter(({ name }) => name === 'e28'))('an engine that is killed', () => {
  let folder: string;
  let options: LabOptions & { readonly env: NodeJS.ProcessEnv };
  let engine: TestEngine;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'habitus-lab-'));
    const env = { HABITUS_LAB_HOME: join(folder, 'home'), HABITUS_LAB_CACHE: homeOf(process.env).cache };
    options = { env, say: speaker(() => undefined) };
    const { host, socket } = await ensureEngine('e28', options);
    engine = { name: 'e28', host, socket, builders: ['classic', 'buildkit'] };
    // After the projects on it.
    atEnd(async () => {
      await stopEngine('e28', options);
      await rm(folder, { recursive: true });
    });
  });

  test.each(['classic', 'buildkit'] as const)('in the middle of a build by %s', async (builder) => {
    const subject: Subject = { name: builder, engine, builder };
    const gates = await Gates.start();
    const given = await project(engine, {
      'build.yml': buildYml({ one: [] }),
      Dockerfile: `FROM busybox:latest\nLABELLED\nRUN ${gates.wait('gate')}\n`,
    });
    const building = buildProject(subject, given);
    await gates.at('gate').reached;
    const namespace = await findNamespace(layoutOf(homeOf(options.env), 'e28').run);
    if (namespace === undefined) throw new Error('the engine has no process');
    const killed = performance.now();
    await killNamespace(namespace);
    const { result, events } = await building;
    expect(performance.now() - killed).toBeLessThan(10_000);
    expect(failureOf(result)?.message).toMatch(
      /^The engine could not build: the connection to \S+ broke while RUN wget .* was at work$/,
    );
    const warnings = events.flatMap((event) =>
      event.type === 'notice' && event.level === 'warning' ? [event.message] : [],
    );
    expect(warnings.join('\n')).toMatch(/may be left/);

    gates.at('gate').open();
    await ensureEngine('e28', options);
    await built(subject, given);
    expect(await given.images.idOf(given.name('one'))).toMatch(/^sha256:/);
  });
});

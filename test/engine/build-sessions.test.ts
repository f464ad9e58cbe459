/** What BuildKit is asked to build without a session, what it needs one for, and credentials of registries. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { endpointOf } from '../../src/lab/http.js';
import { atEnd } from '../support/build-cleanup.js';
import { built, failureOf, buildProject, type Built } from '../support/build-library.js';
import {
  buildYml,
  project,
  subjects,
  type Files,
  type Project,
  type Subject,
} from '../support/build-project.js';
import type { TestEngine } from '../support/engines.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { TEST_LABEL } from '../support/images.js';
import { Registry } from '../support/registry.js';

const PASSWORD = 'open-sesame-of-a-test';
let registry: Registry;
let configured: string;
beforeAll(async () => {
  registry = await Registry.open(`user:${PASSWORD}`);
  configured = await mkdtemp(join(tmpdir(), 'habitus-docker-config-'));
  const auths = { [registry.host]: { auth: registry.auth } };
  await writeFile(join(configured, 'config.json'), JSON.stringify({ auths }));
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(configured, { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Builds it. @returns with the number of builds that had a session */
const counted = async (subject: Subject, given: Project): Promise<Built & { readonly sessions: number }> => {
  const proxy = await FaultProxy.start(subject.engine);
  const told = await built({ ...subject, engine: proxy.engine }, given);
  proxy.close();
  return { ...told, sessions: proxy.calls.filter(({ path }) => /\/build\?.*&session=/.test(path)).length };
};
const sessionsOf = async (
  subject: Subject,
  files: Files,
  steps: Parameters<typeof buildYml>[0] = { app: [] },
) => {
  const given = await project(subject.engine, { 'build.yml': buildYml(steps), ...files });
  return { given, ...(await counted(subject, given)) };
};

/** Before anything else happens in this process. */
function tagAtOnce({ host }: TestEngine, image: string, name: string): void {
  const endpoint = endpointOf(host);
  const where = endpoint?.kind === 'unix' ? { socketPath: endpoint.path } : endpoint;
  const path = `/images/${image}/tag?repo=${encodeURIComponent(name.replace(/:latest$/, ''))}&tag=latest`;
  const script = `http.request(${JSON.stringify({ ...where, method: 'POST', path })}, (r) => r.resume()).end()`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', script]);
  if (status !== 0) throw new Error(String(stderr));
}

const ofBuildKit = subjects().filter(({ builder }) => builder === 'buildkit');

describe.each(ofBuildKit)('on $name', (subject) => {
  const { engine } = subject;
  test('builds without a session what needs nothing of us', async () => {
    const { given, sessions } = await sessionsOf(
      subject,
      {
        'base.df': 'FROM busybox:latest\nLABELLED\nARG WHAT=two\nRUN echo one > /one\nENV WHAT=$WHAT\n',
        'app.df':
          'FROM @base AS made\nRUN echo $(cat /one) $WHAT > /two\nFROM busybox\nLABELLED\nCOPY --from=made /two /\n',
      },
      { base: ['dockerfile: base.df'], app: ['dockerfile: app.df', 'depends_on: [base]'] },
    );
    expect(await given.images.text(given.name('app'), '/two')).toBe('one two\n');
    expect(sessions).toBe(engine.name === 'e28c' ? 2 : 0);
  });

  test.each([
    ['files of the context', 'COPY file /got'],
    ['files of the context by a mount', 'RUN --mount=target=/context \\\n  cp /context/file /got'],
    [
      'files of the context by a mount on a line of its own',
      'RUN \\\n --mount=target=/c \\\n cp /c/file /got',
    ],
  ])('opens one for %s', async (_, instruction) => {
    const { given, sessions } = await sessionsOf(subject, {
      Dockerfile: `FROM busybox:latest\nLABELLED\n${instruction}\n`,
      file: 'of the context',
    });
    expect(await given.images.text(given.name('app'), '/got')).toBe('of the context');
    expect(sessions).toBe(1);
  });

  test('opens one where the base gets triggers after it was looked at', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ one: ['dockerfile: one.df', 'keep: true'], app: ['depends_on: [one]'] }),
      'one.df': 'FROM @triggers\nLABELLED\n',
      Dockerfile: 'FROM @triggers\nLABELLED\n',
      file: 'of the context',
    });
    atEnd(() => given.images.remove(given.name('triggers')));
    await given.images.tag('busybox:latest', given.name('triggers'));
    const base = await given.images.imported('ONBUILD COPY file /got');
    await built(subject, given, {
      emit: (event) => {
        if (event.type === 'step-finished' && event.step === 'one')
          tagAtOnce(engine, base, given.name('triggers'));
      },
    });
    expect(await given.images.text(given.name('app'), '/got')).toBe('of the context');
  });

  test('opens one where triggers of the base copy from the context', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ app: [] }),
      Dockerfile: 'FROM @triggers\nLABELLED\n',
      file: 'of the context',
    });
    const base = await given.images.imported('ONBUILD COPY file /got');
    atEnd(() => given.images.remove(given.name('triggers')));
    await given.images.tag(base, given.name('triggers'));
    const { sessions } = await counted(subject, given);
    expect(await given.images.text(given.name('app'), '/got')).toBe('of the context');
    expect(sessions).toBe(1);
  });
});

// 20.10 takes the image of the other platform.
describe.each(ofBuildKit.filter(({ engine }) => engine.name === 'e28'))('on $name', (subject) => {
  const { engine } = subject;
  test('opens one where the engine has a base for another platform only, and tells of no failure', async () => {
    const name = `${registry.host}/${engine.name}-${randomBytes(4).toString('hex')}`;
    const given = await project(engine, {
      'build.yml': buildYml({ app: [] }),
      Dockerfile: `FROM ${name}\nLABELLED\n`,
    });
    registry.put(`${name}:latest`, given.id, { file: 'of this platform' });
    const platform = process.arch === 'arm64' ? 'linux/amd64' : 'linux/arm64';
    const other = await given.images.imported(`LABEL ${TEST_LABEL}=${given.id}`, platform);
    await given.images.tag(other, `${name}:latest`);
    vi.stubEnv('DOCKER_CONFIG', configured);
    const { sessions, events } = await counted(subject, given);
    expect(await given.images.text(given.name('app'), '/file')).toBe('of this platform');
    expect(sessions).toBe(1);
    const failed = events.filter(
      (event) => event.type === 'instruction' && event.instruction.state === 'failed',
    );
    expect(failed).toEqual([]);
  });
});

describe.each(subjects())('on $name', (subject) => {
  const { engine, builder } = subject;

  test.each(['busybox/../x', '/busybox', '../../version?', 'BusyBox', 'busybox#x', '%zz'])(
    'the builder says what is wrong with a base named %j',
    async (name) => {
      const given = await project(engine, {
        'build.yml': buildYml({ app: [] }),
        Dockerfile: `FROM ${name}\nLABELLED\n`,
      });
      for (const fingerprint of [true, false]) {
        const { result } = await buildProject(subject, given, { fingerprint });
        expect(failureOf(result)?.message).toMatch(
          /^(?:FROM .* failed|failed to parse stage name ".*"): invalid /,
        );
      }
    },
  );

  test('a base comes from a registry that wants credentials, which are told to nobody', async () => {
    const name = `${registry.host}/${engine.name}-${builder}-${randomBytes(4).toString('hex')}`;
    const given = await project(engine, {
      'build.yml': buildYml({ app: [] }),
      Dockerfile: `FROM ${name}\nLABELLED\n`,
    });
    registry.put(`${name}:latest`, given.id, { file: 'of the registry' });
    const failed = await buildProject(subject, given);
    expect(failureOf(failed.result)?.message).toMatch(/no basic auth credentials|401|authorization failed/i);
    vi.stubEnv('DOCKER_CONFIG', configured);
    const { events } = await built(subject, given);
    expect(await given.images.text(given.name('app'), '/file')).toBe('of the registry');
    expect(JSON.stringify(events)).not.toContain(PASSWORD);
  });
});

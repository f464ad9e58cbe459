/** Secrets of a build: how RUN gets them, who else does not, what rebuilds a step, and what the proof finds. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { BuildOptions } from '../../src/index.js';
import { buildProject, built, failureOf, type Built } from '../support/build-library.js';
import { ownCache } from '../support/own-cache.js';
import { project, someSubjects, subjects, type Files, type Subject } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';
import { squashYml } from '../support/squash-project.js';

const cache = ownCache();

/** A secret in a variable of its own. */
function secret(): { readonly variable: string; readonly value: string; change(): string } {
  const variable = `HABITUS_T${randomBytes(4).toString('hex').toUpperCase()}`;
  const change = (): string => {
    const value = `s3cr3t-${randomBytes(12).toString('hex')}`;
    vi.stubEnv(variable, value);
    return value;
  };
  return { variable, value: change(), change };
}

/** Whether RUN of a step came from the builder's cache; the last build of the step counts. */
function cachedRuns({ events }: Built): readonly boolean[] {
  const runs = new Map<string, boolean>();
  for (const event of events) {
    if (event.type !== 'instruction' || event.instruction.state !== 'finished') continue;
    const { text, cached } = event.instruction;
    if (text.includes('RUN')) runs.set(event.step, cached);
  }
  return [...runs.values()];
}

const WGET = 'wget -qO /tmp/s';
const URL = 'http://$habitus_user:$habitus_password@$habitus_host:$habitus_port/v1/secrets';
const SERVICE_ARGS = ['ARG habitus_host', 'ARG habitus_port', 'ARG habitus_user', 'ARG habitus_password'];
/** Shows that RUN has it, without showing it. */
const SHOW = 'wc -c < /tmp/s && rm /tmp/s';

function service(run: string): string {
  return ['FROM busybox:latest', 'LABELLED', ...SERVICE_ARGS, `RUN ${run}`, ''].join('\n');
}

async function scene(subject: Subject, files: Files, options: BuildOptions = {}) {
  const given = await project(subject.engine, files);
  return {
    given,
    build: () => buildProject(subject, given, options),
    run: () => built(subject, given, options),
  };
}

describe.each(someSubjects('e28'))('on $name', (subject) => {
  const buildkit = subject.builder === 'buildkit';

  test('RUN gets the secrets of its step from the service, and an unchanged step comes from the cache', async () => {
    const own = secret();
    const { given, run } = await scene(subject, {
      'build.yml': squashYml({ app: [`secrets: { tok: { env: ${own.variable} } }`] }),
      Dockerfile: service(`${WGET} ${URL}/env/tok && ${SHOW} && echo ${own.variable}`),
    });
    const first = await run();
    expect(first.output).toContain(String(own.value.length));
    expect(first.result.proof).toMatchObject({ result: 'clean', findings: [] });
    expect(cachedRuns(first)).toEqual([false]);

    const second = await run();
    expect(cachedRuns(second)).toEqual([true]);
    expect(second.result.steps[0]?.imageId).toBe(first.result.steps[0]?.imageId);

    const changed = own.change();
    const third = await run();
    expect(cachedRuns(third)).toEqual([false]);
    expect(JSON.stringify([first, second, third])).not.toContain(own.value);
    expect(JSON.stringify(third)).not.toContain(changed);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test('a Dockerfile written for the original, which knows nothing of passwords, builds unchanged', async () => {
    const own = secret();
    const { run } = await scene(subject, {
      'build.yml': squashYml({
        app: [`secrets: { tok: { type: env, value: ${own.variable.slice('HABITUS_'.length)} } }`],
      }).replace('2026-11-22', '2016-03-14'),
      Dockerfile: `FROM busybox:latest\nLABELLED\nARG host\nARG habitus_port\nRUN ${WGET} http://$host:$habitus_port/v1/secrets/env/tok && ${SHOW}\n`,
    });
    const { output, result } = await run();
    expect(output).toContain(String(own.value.length));
    expect(result.proof?.result).toBe('clean');
  });

  test('a step has no access to what another step declares, nor anybody without credentials', async () => {
    const [mine, theirs] = [secret(), secret()];
    const { run, given } = await scene(subject, {
      'build.yml': squashYml({
        one: [`secrets: { mine: { env: ${mine.variable} } }`, 'dockerfile: one.df'],
        two: [`secrets: { theirs: { env: ${theirs.variable} } }`],
      }),
      'one.df': service(`${WGET} ${URL}/env/mine && ${SHOW}`),
      Dockerfile: service(
        [
          `! ${WGET} ${URL}/env/mine`,
          `! ${WGET} ${URL}/env/`,
          `! ${WGET} http://$habitus_host:$habitus_port/v1/secrets/env/theirs`,
          `! ${WGET} http://$habitus_user:wrong@$habitus_host:$habitus_port/v1/secrets/env/theirs`,
          `${WGET} ${URL}/env/theirs && ${SHOW}`,
        ].join(' && '),
      ),
    });
    const { output } = await run();
    const told = output.join('\n');
    expect([told.match(/404/g)?.length, told.match(/401/g)?.length]).toEqual([2, 2]);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test('a secret that stays fails the build: no name, no image, and the place is told without the value', async () => {
    const own = secret();
    const file = join(cache(), `${randomBytes(4).toString('hex')}.json`);
    const fetch = buildkit
      ? ['FROM busybox:latest', 'LABELLED', 'RUN --mount=type=secret,id=tok base64 /run/secrets/tok > /srv']
      : [
          'FROM busybox:latest',
          'LABELLED',
          ...SERVICE_ARGS,
          `RUN ${WGET} ${URL}/env/tok && base64 /tmp/s > /srv && rm /tmp/s`,
        ];
    const { build, given } = await scene(
      subject,
      {
        'build.yml': squashYml({ app: [`secrets: { tok: { env: ${own.variable} } }`] }),
        Dockerfile: `${fetch.join('\n')}\nRUN rm /srv\n`,
      },
      { proofFile: file },
    );
    const { result, events } = await build();
    expect(result).toMatchObject({ status: 'failed', steps: [{ status: 'succeeded', names: [] }] });
    const [finding] = result.proof?.findings ?? [];
    expect(finding).toMatchObject({ secret: 'tok', encoding: 'base64', step: 'app', kind: 'layer' });
    expect(finding?.path.at(-1)).toMatch(/srv$/);
    expect(finding?.instruction).toContain('base64');
    const report = await readFile(file, 'utf8');
    expect(JSON.parse(report)).toMatchObject({ result: 'found' });
    const coded = Buffer.from(own.value).toString('base64').replace(/=*$/, '').slice(0, -1);
    for (const text of [JSON.stringify([result, events]), report]) {
      expect(text).not.toContain(own.value);
      expect(text).not.toContain(coded);
    }
    expect(await given.images.names(`habitus.invalid/${given.id}`)).toEqual({});
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test('what a program prints of a secret, also encoded, is not told', async () => {
    const own = secret();
    const { run } = await scene(subject, {
      'build.yml': squashYml({ app: [`secrets: { tok: { env: ${own.variable} } }`] }),
      Dockerfile: service(
        `${WGET} ${URL}/env/tok && cat /tmp/s && echo && base64 /tmp/s && hexdump -ve '1/1 "%02x"' /tmp/s && echo :end && rm /tmp/s`,
      ),
    });
    const { output, events } = await run();
    const hex = Buffer.from(own.value).toString('hex');
    expect(output).toContain('***:end');
    for (const text of [own.value, hex, Buffer.from(own.value).toString('base64').slice(0, 20)]) {
      expect(JSON.stringify(events)).not.toContain(text);
    }
  });

  test('a missing secret, and a build arg that holds one, are errors before anything is built', async () => {
    const own = secret();
    const missing = await scene(subject, {
      'build.yml': squashYml({ app: ['secrets: { tok: { env: HABITUS_NOT_SET_ANYWHERE } }'] }),
      Dockerfile: 'FROM busybox:latest\n',
    });
    await expect(missing.build()).rejects.toThrow(
      'secret "tok" of step "app" cannot be read: the variable HABITUS_NOT_SET_ANYWHERE is not set',
    );
    const given = await scene(
      subject,
      {
        'build.yml': squashYml({ app: [`secrets: { tok: { env: ${own.variable} } }`] }),
        Dockerfile: 'FROM busybox:latest\nARG TOKEN\n',
      },
      { buildArgs: { TOKEN: own.value } },
    );
    await expect(given.build()).rejects.toThrow('--build TOKEN holds the value of the secret "tok"');
  });

  test('a variable named by secretEnv is a secret too, and without the proof there is a warning', async () => {
    const own = secret();
    const files = {
      'build.yml': squashYml({ app: [`args: { WHO: "_env(${own.variable})" }`] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nARG WHO\nRUN echo "I am $WHO"\n',
    };
    const open = await scene(subject, files, { secretEnv: [own.variable] });
    await expect(open.build()).rejects.toThrow(new RegExp(`holds the value of the secret "${own.variable}"`));
    const leak = {
      ...files,
      'build.yml': squashYml({ app: [`secrets: { tok: { env: ${own.variable} } }`] }),
      Dockerfile: service(`${WGET} ${URL}/env/tok && cp /tmp/s /kept && rm /tmp/s`),
    };
    const loose = await scene(subject, leak, { proof: false });
    const { result, events } = await loose.run();
    expect(result.proof).toBeUndefined();
    expect(events.flatMap((event) => (event.type === 'notice' ? [event.message] : []))).toContain(
      '--no-proof: nothing is searched for secrets, so images may hold some',
    );
    expect(failureOf(result)).toBeUndefined();
  });
});

describe.each(subjects().filter(({ builder }) => builder === 'classic'))('on $name', (subject) => {
  test('a mount of a secret is refused by name on the classic builder', async () => {
    const own = secret();
    const { build } = await scene(subject, {
      'build.yml': squashYml({ app: [`secrets: { tok: { env: ${own.variable} } }`] }),
      Dockerfile: 'FROM busybox:latest\nRUN --mount=type=secret,id=tok true\n',
    });
    await expect(build()).rejects.toThrow(/Dockerfile:2: RUN --mount/);
  });
});

describe.each(subjects().filter(({ builder }) => builder === 'buildkit'))('on $name', (subject) => {
  test('a mounted secret rebuilds its RUN when it changes, and only then', async () => {
    const own = secret();
    const { run } = await scene(subject, {
      'build.yml': squashYml({ app: [`secrets: { tok: { env: ${own.variable} } }`] }),
      Dockerfile: `FROM busybox:latest\nLABELLED\nRUN --mount=type=secret,id=tok wc -c < /run/secrets/tok && echo ${own.variable}\n`,
    });
    const runs = [cachedRuns(await run()), cachedRuns(await run())];
    own.change();
    runs.push(cachedRuns(await run()));
    expect(runs).toEqual([[false], [true], [false]]);
  });
});

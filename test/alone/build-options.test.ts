/** Options and keys that reach the builder: cache, target, args, network, limits, choice of steps. */
import { describe, expect, test } from 'vitest';
import { built, buildProject } from '../support/build-library.js';
import { buildYml, project, someSubjects, subjects } from '../support/build-project.js';
import { EngineApi } from '../support/squash-api.js';

const RANDOM = 'cat /proc/sys/kernel/random/uuid > /id';

describe.each(someSubjects('e28'))('on $name', (subject) => {
  test.concurrent('the cache is used, unless the step or the build says otherwise', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        cached: ['dockerfile: Dockerfile.cached'],
        fresh: ['dockerfile: Dockerfile.fresh', 'no_cache: true'],
      }),
      // They differ in what comes first: else the classic builder would go on from what the other one has just built.
      'Dockerfile.cached': `FROM busybox:latest\nRUN ${RANDOM} && : cached\nLABELLED\n`,
      'Dockerfile.fresh': `FROM busybox:latest\nRUN ${RANDOM}\nLABELLED\n`,
    });
    const ids = async (noCache: boolean): Promise<readonly (string | undefined)[]> => {
      await built(subject, given, { noCache });
      return [
        await given.images.text(given.name('cached'), '/id'),
        await given.images.text(given.name('fresh'), '/id'),
      ];
    };
    const first = await ids(false);
    const second = await ids(false);
    const third = await ids(true);
    expect(second[0]).toBe(first[0]);
    expect(second[1]).not.toBe(first[1]);
    expect(third[0]).not.toBe(first[0]);
  });

  test.concurrent('an unchanged build gives the same image again, in a session of its own', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ base: ['dockerfile: Dockerfile.base', 'artifacts: [/made]'], app: [] }),
      'Dockerfile.base': 'FROM busybox:latest\nLABELLED\nRUN date > /made\n',
      Dockerfile: 'FROM @base\nCOPY made file /\nRUN date > /at\n',
      file: 'of the user\n',
    });
    // The classic builder of the containerd store finds in its cache only what has a name.
    const first = await built(subject, given, { keepAll: true });
    const before = await given.images.text(given.name('app'), '/at');
    const second = await built(subject, given, { keepAll: true });
    expect(second.result.session).not.toBe(first.result.session);
    expect(await given.images.text(given.name('app'), '/at')).toBe(before);
    const cached = second.events.flatMap((event) =>
      event.type === 'instruction' &&
      event.instruction.state === 'finished' &&
      /RUN|COPY/.test(event.instruction.text)
        ? [event.instruction.cached]
        : [],
    );
    expect(cached.length).toBeGreaterThan(0);
    expect(new Set(cached)).toEqual(new Set([true]));
  });

  test.concurrent('target, args with odd values and the network reach the builder', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ app: ['target: wanted', 'args: { ODD: "a=b c\\"d $e # ü" }'] }),
      Dockerfile: [
        'FROM busybox:latest AS wanted',
        'LABELLED',
        'ARG ODD',
        'ARG MORE',
        'RUN echo "$ODD" > /odd; echo "$MORE" > /more; ls /sys/class/net > /net',
        'FROM wanted',
        'RUN exit 1',
        '',
      ].join('\n'),
    });
    await built(subject, given, { buildArgs: { MORE: '=x=', ODD: 'loses' }, network: 'none' });
    const text = (path: string): Promise<string | undefined> => given.images.text(given.name('app'), path);
    expect(await text('/odd')).toBe('a=b c"d $e # ü\n');
    expect(await text('/more')).toBe('=x=\n');
    expect(await text('/net')).toBe('lo\n');
  });

  test.concurrent(
    'limits hold for RUN by the classic builder; with BuildKit a warning says that they do not',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({ app: [] }),
        Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN grep Cpus_allowed_list /proc/self/status > /cpus\n',
      });
      const { events } = await built(subject, given, { limits: { cpusetCpus: '0', memory: 64 << 20 } });
      const warnings = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
      if (subject.builder === 'classic') {
        expect(await given.images.text(given.name('app'), '/cpus')).toBe('Cpus_allowed_list:\t0\n');
        expect(warnings).toEqual([]);
      } else {
        expect(warnings).toEqual([
          'BuildKit does not limit memory and CPU of RUN: the limits count only with the classic builder',
        ]);
      }
    },
  );

  test.concurrent('only the wanted steps and what they need are built', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ a: [], b: ['depends_on: [a]'], c: [], d: ['depends_on: [b]'] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\n',
    });
    const { result } = await built(subject, given, { steps: ['b'] });
    expect(result.steps.map(({ label }) => label)).toEqual(['a', 'b']);
  });
});

describe.each(subjects().filter(({ builder }) => builder === 'classic'))('on $name', (subject) => {
  test.concurrent(
    'containers of RUN are left where that is asked for, but not by a build that fails',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({ good: ['target: good'], bad: [] }),
        Dockerfile: [
          'FROM busybox:latest AS good',
          'LABELLED',
          'RUN echo @good-first',
          'RUN echo @good-second',
          'FROM good',
          'RUN echo @bad-first',
          'RUN echo @bad-second && exit 1',
          '',
        ].join('\n'),
      });
      const api = new EngineApi(subject.engine.host);
      const left = async (step: string): Promise<readonly string[]> => {
        const all = await api.json<readonly { Id: string; Command: string }[]>(
          'GET',
          '/containers/json?all=1',
        );
        return all.flatMap(({ Id, Command }) => (Command.includes(`${given.id}/${step}-`) ? [Id] : []));
      };
      const options = { removeContainers: false, steps: ['good'] };
      await built(subject, given, options);
      const good = await left('good');
      for (const id of good) await api.bytes('DELETE', `/containers/${id}?v=1`);
      expect(good).toHaveLength(2);
      const failed = await buildProject(subject, given, { ...options, steps: ['bad'] });
      expect(failed.result.status).toBe('failed');
      expect(await left('bad')).toEqual([]);
      await built(subject, given, { removeContainers: true, steps: ['good'], noCache: true });
      expect(await left('good')).toEqual([]);
    },
  );
});

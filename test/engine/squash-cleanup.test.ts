/** Cleanup commands: whom they run as, where and through what, what counts as failure, and what stays of the image's config. */
import { describe, expect, test } from 'vitest';
import { buildProject, built, failureOf, type Built } from '../support/build-library.js';
import { buildYml, project, someSubjects, subjects } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';
import { EngineApi } from '../support/squash-api.js';
import { cleanup, squashYml } from '../support/squash-project.js';

const USERS = "RUN printf 'root:x:0:0::/root:/bin/sh\\nme:x:1000:1000::/home/me:/bin/sh\\n' > /etc/passwd";
const WITHOUT_SHELL =
  'FROM scratch\nLABELLED\nCOPY --from=busybox:latest /bin/busybox /busybox\nCOPY key /key\n';

/** What cleanup commands have printed. */
function said({ events }: Built): string[] {
  return events.flatMap((event) =>
    event.type === 'output' && event.phase === 'cleanup' ? [event.line] : [],
  );
}

/** What happens after the build is the same for both builders: see someSubjects. */
describe.each(someSubjects('e20'))('on $name', (subject) => {
  const { engine } = subject;

  test.concurrent(
    'commands run in order as the user of the image, in its WORKDIR, with its ENV, and ~ is what it was for RUN',
    async () => {
      const given = await project(engine, {
        'build.yml': squashYml({
          app: cleanup([
            'echo "$(id -u) $(pwd) $KIND" ~ > first',
            'cat first built && rm first && echo $0',
            ['echo', '$KIND', '~', '*'],
          ]),
          root: ['dockerfile: Dockerfile', ...cleanup(['echo $(id -u) ~; rm -r /work/*'], { user: 'root' })],
          home: ['dockerfile: Dockerfile.home', ...cleanup(['cat /built; echo ~'])],
        }),
        Dockerfile: [
          'FROM busybox:latest',
          'LABELLED',
          `${USERS} && mkdir -p /work /home/me && chown 1000 /work`,
          'ENV KIND="of the image"',
          'ENTRYPOINT ["/never"]',
          'USER me',
          'WORKDIR /work',
          'RUN echo ~ > built',
          '',
        ].join('\n'),
        'Dockerfile.home': `FROM busybox:latest\nLABELLED\n${USERS}\nENV HOME=/else/where\nRUN echo ~ > /built\nUSER me\n`,
      });
      const told = await built(subject, given, { jobs: 1 });
      expect(said(told)).toEqual([
        '1000 /work of the image /home/me',
        '/home/me',
        '/bin/sh',
        '$KIND ~ *',
        '0 /root',
        '/else/where',
        '/else/where',
      ]);
      expect((await given.images.inspect(given.name('app')))?.Config).toMatchObject({
        User: 'me',
        WorkingDir: '/work',
        Entrypoint: ['/never'],
      });
    },
  );

  test.concurrent('the first command that fails fails the step, and nothing is named or left', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ app: cleanup(['echo fine', 'echo almost; exit 3', 'echo never']) }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN echo secret > /key\n',
    });
    const told = await buildProject(subject, given);
    expect(said(told)).toEqual(['fine', 'almost']);
    expect(told.result.steps[0]?.failure).toEqual({
      message: 'cleanup command exited with 3: echo almost; exit 3',
      instruction: 'echo almost; exit 3',
      exitCode: 3,
      output: ['almost'],
    });
    expect(await given.images.names(`habitus.invalid/${given.id}/`)).toEqual({});
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
    expect(await given.images.tracesOfSession(told.result.session)).toEqual({
      containers: [],
      sessionNames: [],
    });
  });

  test.concurrent('a text goes through the SHELL of the image, with its options', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ app: cleanup(['true | true', 'false | true']) }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nSHELL ["/bin/ash", "-o", "pipefail", "-c"]\n',
    });
    const { result } = await buildProject(subject, given);
    expect(failureOf(result)?.message).toBe('cleanup command exited with 1: false | true');
  });

  test.concurrent('an image without a shell is cleaned by commands that are lists', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({
        app: cleanup([
          ['/busybox', 'rm', '/key'],
          ['/busybox', 'cat'],
          ['/busybox', 'ls', '/key', '/busybox'],
        ]),
        ok: [
          'dockerfile: Dockerfile',
          ...cleanup([
            ['/busybox', 'touch', '/made'],
            ['/busybox', 'rm', '/made', '/key'],
          ]),
        ],
      }),
      Dockerfile: WITHOUT_SHELL,
      key: 'secret\n',
    });
    const told = await buildProject(subject, given, { keepGoing: true });
    expect(failureOf(told.result)?.message).toBe('cleanup command exited with 1: /busybox ls /key /busybox');
    expect(said(told)).toEqual(expect.arrayContaining(['/busybox', 'ls: /key: No such file or directory']));
    expect(told.result.steps.map(({ status }) => status)).toEqual(['failed', 'succeeded']);
    const files = told.events.flatMap((event) => (event.type === 'squashed' ? [event.layersAfter] : []));
    expect(files).toEqual([1]);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test.concurrent('a text for an image without a shell is an error that says what to do', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ app: cleanup(['rm /key']) }),
      Dockerfile: WITHOUT_SHELL,
      key: 'secret\n',
    });
    const { result } = await buildProject(subject, given);
    expect(failureOf(result)).toEqual({
      step: 'app',
      message: 'cleanup command "rm /key" needs a shell, but the image has no /bin/sh',
      hint: 'Write it as a list, e.g. ["/bin/tool", "argument"], with a program that the image has.',
    });
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test.concurrent('the network is that of RUN, or none where cleanup says so', async () => {
    const given = await project(engine, {
      'build.yml': squashYml({
        like: cleanup(['echo like $(ls /sys/class/net)']),
        none: ['dockerfile: Dockerfile', ...cleanup(['echo none $(ls /sys/class/net)'], { network: 'none' })],
      }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\n',
    });
    expect(said(await built(subject, given)).sort()).toEqual(['like eth0 lo', 'none lo']);
  });

  test.concurrent('what lies in a VOLUME stays, and a warning says so', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ app: cleanup(['rm /data/file /file']) }),
      Dockerfile:
        'FROM busybox:latest\nLABELLED\nRUN mkdir /data && echo kept | tee /data/file > /file\nVOLUME /data\n',
    });
    const { events } = await built(subject, given);
    expect(events.flatMap((event) => (event.type === 'notice' ? [event.message] : []))).toEqual([
      'cleanup cannot change what lies in a VOLUME of the image: /data',
    ]);
    expect(await given.images.text(given.name('app'), '/data/file')).toBe('kept\n');
    expect(await given.images.text(given.name('app'), '/file')).toBeUndefined();
  });

  test.concurrent(
    'neither a process in the background nor one that reads its input keeps cleanup',
    async () => {
      const given = await project(engine, {
        'build.yml': buildYml({
          app: cleanup(['sleep 1000 & echo started', 'cat', 'read x || echo at end']),
        }),
        Dockerfile: 'FROM busybox:latest\nLABELLED\n',
      });
      const told = await built(subject, given, { signal: AbortSignal.timeout(60_000) });
      expect(said(told)).toEqual(['started', 'at end']);
      expect(await given.images.traces(given.id)).toEqual(NOTHING);
    },
  );

  test.concurrent('an abort during a command stops it and leaves nothing', async () => {
    const given = await project(engine, {
      'build.yml': buildYml({ app: cleanup(['echo waiting && sleep 1000']) }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN echo secret > /key\n',
    });
    const abort = new AbortController();
    let abortedAt = 0;
    const { result } = await buildProject(subject, given, {
      signal: abort.signal,
      emit: (event) => {
        if (event.type !== 'output' || event.phase !== 'cleanup') return;
        abortedAt = performance.now();
        abort.abort();
      },
    });
    expect(result.status).toBe('cancelled');
    expect(performance.now() - abortedAt).toBeLessThan(60_000);
    expect(await given.images.names(`habitus.invalid/${given.id}/`)).toEqual({});
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
    expect(await given.images.tracesOfSession(result.session)).toEqual({ containers: [], sessionNames: [] });
  });
});

describe.each(subjects())('on $name', (subject) => {
  test.concurrent('the config stays byte for byte, except for layers and history', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        plain: ['dockerfile: Dockerfile'],
        clean: ['dockerfile: Dockerfile', 'depends_on: [plain]', ...cleanup(['rm /key'])],
      }),
      Dockerfile: [
        'FROM busybox:latest',
        'LABELLED',
        'MAINTAINER Somebody <s@example.org>',
        'RUN echo secret > /key',
        'ENV ONE=1 TWO="2 <&> ü"',
        'LABEL of.test="a=b"',
        'EXPOSE 80/tcp 53/udp',
        'HEALTHCHECK --interval=300s --timeout=7s --retries=2 CMD ["true"]',
        'STOPSIGNAL SIGQUIT',
        'ONBUILD RUN echo child',
        'WORKDIR /else',
        'SHELL ["/bin/sh", "-e", "-c"]',
        'ENTRYPOINT ["/bin/entry", "--x"]',
        'CMD ["y", "z"]',
        'VOLUME /some/volume',
        '',
      ].join('\n'),
    });
    await built(subject, given);
    const api = new EngineApi(subject.engine.host);
    const [plain, clean] = await Promise.all(
      ['plain', 'clean'].map(async (step) => (await api.saved(given.name(step))).config.toString()),
    );
    const { rootfs: was, history: old, ...before } = JSON.parse(plain ?? '') as Record<string, unknown>;
    const { rootfs: is, history, ...after } = JSON.parse(clean ?? '') as Record<string, unknown>;
    expect(JSON.stringify(after['config'])).toBe(JSON.stringify(before['config']));
    expect(before).toMatchObject(after);
    expect(Object.keys(after)).toEqual(expect.arrayContaining(['architecture', 'os', 'config', 'created']));
    expect(after['author']).toBe(before['author']);
    expect(is).not.toEqual(was);
    const entries = old as readonly { created: string }[];
    expect((history as typeof entries).map(({ created }) => created)).toEqual([
      ...entries.map(({ created }) => created),
      before['created'],
    ]);
  });
});

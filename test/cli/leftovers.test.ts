/** After success, failure and Ctrl-C of the program: nothing of the session is left, and the user's folder is untouched. */
import { describe, expect, test } from 'vitest';
import { Gates } from '../support/build-gates.js';
import { habitus, start, type Ended } from '../support/build-program.js';
import {
  buildYml,
  project,
  snapshot,
  someSubjects,
  type Files,
  type Project,
} from '../support/build-project.js';
import { NOTHING } from '../support/images.js';

const FIRST: Files = {
  'Dockerfile.first':
    'FROM busybox:latest\nLABELLED\nCOPY data /data\nRUN mkdir /out && echo made > /out/made\n',
  data: 'of the user\n',
  '.dockerignore': 'out\n',
};

/** A step that hands off an artifact, and a second one that takes it and ends as the test wants. */
function files(second: string, more: readonly string[] = []): Files {
  return {
    ...FIRST,
    'build.yml': buildYml({
      first: ['dockerfile: Dockerfile.first', 'artifacts: ["/out:taken"]'],
      second: ['dockerfile: Dockerfile.second', 'depends_on: [first]', ...more],
    }),
    'Dockerfile.second': `FROM busybox:latest\nLABELLED\nCOPY taken /taken\nRUN echo before > /before\n${second}\n`,
  };
}

interface Untouched {
  expectNothingLeft(ended: Ended): Promise<void>;
}

async function watch({ directory, images, id }: Project): Promise<Untouched> {
  const before = await snapshot(directory);
  return {
    async expectNothingLeft({ leftInTmp }) {
      expect(await images.traces(id)).toEqual(NOTHING);
      expect(leftInTmp).toEqual([]);
      expect(await snapshot(directory)).toEqual(before);
    },
  };
}

describe.each(someSubjects('e28c'))('on $name', ({ engine, builder }) => {
  const flags = ['--builder', builder, '--progress', 'plain'];

  test.concurrent('success leaves the images under their names and nothing else', async () => {
    const given = await project(engine, files('RUN cat /taken/out/made', ['keep: true']));
    const watched = await watch(given);
    const ended = await habitus(engine, ['-d', given.directory, ...flags, '--keep-all']);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(Object.keys(await given.images.names(given.name('').slice(0, -7)))).toEqual([
      given.name('first'),
      given.name('second'),
    ]);
    await watched.expectNothingLeft(ended);
  });

  test.concurrent('an image that replaces an earlier one leaves no dangling one', async () => {
    const given = await project(engine, files('ARG ROUND\nRUN echo $ROUND > /round'));
    const watched = await watch(given);
    for (const round of ['1', '2']) {
      const ended = await habitus(engine, ['-d', given.directory, ...flags, '--build', `ROUND=${round}`]);
      expect(ended, ended.stderr).toMatchObject({ code: 0 });
      expect(await given.images.text(given.name('second'), '/round')).toBe(`${round}\n`);
      await watched.expectNothingLeft(ended);
    }
  });

  test.concurrent('a failed build leaves nothing', async () => {
    const given = await project(engine, files('RUN echo oops && exit 7'));
    const watched = await watch(given);
    const ended = await habitus(engine, ['-d', given.directory, ...flags]);
    expect(ended, ended.stderr).toMatchObject({ code: 1 });
    expect(await given.images.names(given.name('').slice(0, -7))).toEqual({});
    await watched.expectNothingLeft(ended);
  });

  test.concurrent.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    // A gate that nobody opens would hold a RUN that is not stopped for good.
  ] as const)('%s while RUN works stops it, status %i', async (signal, code) => {
    const gates = await Gates.start();
    const given = await project(engine, files(`RUN ${gates.wait('run')}`));
    const watched = await watch(given);
    const program = await start(engine, ['-d', given.directory, ...flags]);
    await Promise.race([gates.at('run').reached, program.ended]);
    // That the look is not blind: the first step's image waits for its name.
    expect((await given.images.traces(given.id)).sessionNames).toHaveLength(1);
    program.child.kill(signal);
    const ended = await program.ended;
    expect(ended, ended.stderr).toMatchObject({ code });
    expect(ended.stderr).toContain(
      `note: ${signal}: stopping and cleaning up; a second one ends it at once\n`,
    );
    expect(ended.stderr).toMatch(/✗ build cancelled after .*: 1 cancelled, 1 built/);
    await watched.expectNothingLeft(ended);
  });

  test.concurrent('Ctrl-C while a command runs stops its container', async () => {
    const gates = await Gates.start();
    const given = await project(
      engine,
      files('RUN true', [`command: ${JSON.stringify(gates.wait('command'))}`]),
    );
    const watched = await watch(given);
    const program = await start(engine, ['-d', given.directory, ...flags]);
    await Promise.race([gates.at('command').reached, program.ended]);
    expect((await given.images.traces(given.id)).containers).toHaveLength(1);
    program.child.kill('SIGINT');
    const ended = await program.ended;
    expect(ended, ended.stderr).toMatchObject({ code: 130 });
    await watched.expectNothingLeft(ended);
  });
});

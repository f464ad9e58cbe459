/** What COPY keeps of artifacts on the classic builder, which makes all that it takes from a context root's. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { built, buildProject, failureOf } from '../support/build-library.js';
import { buildYml, project, subjects } from '../support/build-project.js';
import { listing, NOT_UTF8, ODD_TREE, type Line } from '../support/build-tree.js';

const MADE = `FROM busybox:latest\nLABELLED\nRUN ${[...ODD_TREE, NOT_UTF8].join(' && ')}\n`;
/** Of /tree/setuid, and of a file that only root has to do with. */
const OWNED = { owner: '1000:2000', mode: '4755' };
const ROOTED = { owner: '0:0', mode: '755' };

const owner = (lines: readonly Line[], path: string): { owner: string; mode: string } | undefined => {
  const found = lines.find((line) => line.path === path);
  return found && { owner: found.owner, mode: found.mode };
};

const classic = subjects().filter(({ builder }) => builder === 'classic');

describe.each(classic)('on $name', (subject) => {
  test.concurrent('COPY of an artifact keeps all that it holds; the folder copied into is new', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        made: ['dockerfile: Dockerfile.made', 'artifacts: [/tree]', 'keep: true'],
        taken: ['dockerfile: Dockerfile.taken', 'depends_on: [made]'],
      }),
      'Dockerfile.made': `${MADE}RUN chown 5:6 /tree && chmod 700 /tree\n`,
      'Dockerfile.taken': 'FROM scratch\nLABELLED\nCOPY tree/ /tree\n',
    });
    await built(subject, given);
    const made = await listing(given.images, given.name('made'), '/tree');
    const taken = await listing(given.images, given.name('taken'), '/tree');
    expect(owner(made, 'setuid')).toEqual(OWNED);
    expect(owner(made, '.')).toEqual({ owner: '5:6', mode: '700' });
    expect(owner(taken, '.')).toEqual(ROOTED);
    const inside = (lines: readonly Line[]): readonly Line[] => lines.filter(({ path }) => path !== '.');
    expect(inside(taken)).toEqual(inside(made));
  });

  test.concurrent(
    'so does COPY of several at once, in any form, out of a context in a folder, ignored or not',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({
          made: ['dockerfile: Dockerfile.made', 'artifacts: ["/tree:api/in", "/tree/setuid:api/bin"]'],
          taken: ['context: api', 'depends_on: [made]'],
        }),
        'Dockerfile.made': MADE,
        'api/Dockerfile':
          'FROM busybox:latest AS first\nLABELLED\nARG TO=/words/\n' +
          'COPY ./bin/setuid \\\n# a comment\n  in/tree/closed /lines/\n' +
          'COPY in/tree/setuid bin/setuid $TO\nCOPY ["in/tree/with space/", "/list"]\n' +
          'COPY bin/setuid /as/other\nRUN stat -c %a:%u:%g /as/other\n' +
          'FROM scratch\nLABELLED\nCOPY --from=first / /\n',
        'api/.dockerignore': '*\n!Dockerfile\n',
        'api/in/tree/old/ignored': 'of the user\n',
        'api/bin/setuid': 'of the user\n',
      });
      const { output } = await built(subject, given);
      expect(output).toContain('4755:1000:2000');
      const image = given.name('taken');
      for (const folder of ['/words', '/lines'])
        expect(owner(await listing(given.images, image, folder), 'setuid')).toEqual(OWNED);
      expect((await listing(given.images, image, '/list')).map(({ path }) => path)).toEqual([
        ' file ',
        '.',
        'deep',
        'deep/file',
        'three',
      ]);
    },
  );

  test.concurrent('a COPY that mixes them with files of the folder takes both, as root', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        made: ['dockerfile: Dockerfile.made', 'artifacts: [/tree]'],
        taken: ['dockerfile: Dockerfile.taken', 'depends_on: [made]'],
      }),
      'Dockerfile.made': MADE,
      'Dockerfile.taken':
        'FROM scratch\nLABELLED\nCOPY tree /merged\nCOPY tree/setuid local /beside/\nCOPY tree/setui? /wild/\n' +
        'COPY tree/setuid /alone/\nCOPY tree/folder /followed\nADD tree/setuid /added/\n',
      'tree/of-the-user': 'x\n',
      local: 'y\n',
    });
    await built(subject, given);
    const look = (folder: string): Promise<readonly Line[]> =>
      listing(given.images, given.name('taken'), folder);
    const merged = await look('/merged');
    expect(merged.find(({ path }) => path === 'of-the-user')?.content).toBe('x\n');
    expect(owner(merged, 'setuid')).toEqual(ROOTED);
    expect((await look('/beside')).map(({ path }) => path)).toEqual(['.', 'local', 'setuid']);
    for (const folder of ['/beside', '/wild', '/added'])
      expect(owner(await look(folder), 'setuid')).toEqual(ROOTED);
    expect(owner(await look('/alone'), 'setuid')).toEqual(OWNED);
    expect((await look('/followed')).map(({ path }) => path)).toEqual(['.']);
  });

  test.concurrent('one that mixed them leaves nothing in the cache for one that does not', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        made: [
          'dockerfile: Dockerfile.made',
          'artifacts: [/owned, /tree]',
          'cleanup: {commands: [rm /tree/one]}',
        ],
        taken: ['dockerfile: Dockerfile.taken', 'depends_on: [made]'],
      }),
      // Squash takes no odd names.
      'Dockerfile.made':
        'FROM busybox:latest\nLABELLED\nRUN mkdir /tree && touch /tree/one && ' +
        'echo x > /owned && chown 1000:2000 /owned && cp /owned /tree/root && chmod 4755 /owned /tree/root\n',
      'Dockerfile.taken': 'FROM scratch\nLABELLED\nCOPY owne? /out/owned\nCOPY tree/roo? /out/\n',
    });
    const out = async (): Promise<readonly Line[]> => {
      await built(subject, given);
      return listing(given.images, given.name('taken'), '/out');
    };
    const mixed = await out();
    expect([owner(mixed, 'owned'), owner(mixed, 'root')]).toEqual([ROOTED, ROOTED]);
    const file = join(given.directory, 'Dockerfile.taken');
    await writeFile(file, (await readFile(file, 'utf8')).replace('owne?', 'owned').replace('roo?', 'root'));
    const alone = await out();
    expect([owner(alone, 'owned'), owner(alone, 'root')]).toEqual([OWNED, { owner: '0:0', mode: '4755' }]);
  });

  test.concurrent(
    'texts have the instruction as the Dockerfile has it, and the next build has it cached',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({
          made: ['dockerfile: Dockerfile.made', 'artifacts: [/tree/setuid, /tree/one]', 'keep: true'],
          taken: ['dockerfile: Dockerfile.taken', 'depends_on: [made]'],
        }),
        'Dockerfile.made': MADE,
        'Dockerfile.taken':
          'FROM @made\nLABELLED\nCOPY ["setuid", "/to/setuid"]\nARG TO=/to/\nCOPY  ./setuid \\\n one $TO\n',
      });
      const told = async (): Promise<readonly (readonly [string, boolean])[]> => {
        const { events } = await built(subject, given);
        return events.flatMap((event) =>
          event.type === 'instruction' && event.instruction.state === 'finished' && event.step === 'taken'
            ? [[event.instruction.text, event.instruction.cached] as const]
            : [],
        );
      };
      const texts = [
        '[3/5] COPY ["setuid", "/to/setuid"]',
        '[4/5] ARG TO=/to/',
        '[5/5] COPY  ./setuid  one $TO',
      ];
      expect((await told()).slice(2)).toEqual(texts.map((text) => [text, false]));
      expect((await told()).slice(2)).toEqual(texts.map((text) => [text, true]));
      const { result } = await buildProject(subject, given, { buildArgs: { TO: '/to' } });
      expect(failureOf(result)?.step).toBe('taken');
      const failed = result.steps.find(({ label }) => label === 'taken')?.failure;
      expect(failed?.instruction).toBe('COPY  ./setuid  one $TO');
      expect(JSON.stringify(failed)).not.toContain('127.0.0.1:1');
    },
  );
});

const buildkit = subjects().filter(({ builder }) => builder === 'buildkit');

describe.each(buildkit)('on $name', (subject) => {
  test('COPY of artifacts happens inside the engine, and nobody is told of it; what ADD needs is brought', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        made: ['dockerfile: Dockerfile.made', 'artifacts: [/out/one, /out/two]'],
        taken: ['dockerfile: Dockerfile.taken', 'depends_on: [made]'],
      }),
      'Dockerfile.made':
        'FROM busybox:latest\nLABELLED\nRUN mkdir /out && echo 1 > /out/one && echo 2 > /out/two\n',
      'Dockerfile.taken':
        'FROM busybox:latest\nLABELLED\nCOPY one two /x/\nCOPY ["two", "/y/two"]\nADD one /z/\n' +
        // BuildKit would know it from another run of the tests.
        `RUN : ${Date.now()} && cat /x/* /y/two /z/one\n`,
    });
    const { events, output } = await built(subject, given);
    expect(output.slice(-4)).toEqual(['1', '2', '2', '1']);
    const made = /"(?:FROM made\b|[^"]*load metadata for made\b)/;
    const told = JSON.stringify(events.filter((event) => !('session' in event)));
    expect(told).toContain('COPY one two /x/');
    expect(told).toMatch(made);
    expect(told).not.toContain('127.0.0.1:1');
  });
});

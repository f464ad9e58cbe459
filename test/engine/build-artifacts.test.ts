/** Artifacts on their way from one image into the next, on every engine by each of its builders. */
import { lstat, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/core/errors.js';
import { buildProject, built, failureOf } from '../support/build-library.js';
import { buildYml, project, snapshot, subjects, type Subject } from '../support/build-project.js';
import { listing, NOT_UTF8, ODD_TREE, type Line } from '../support/build-tree.js';
import { NOTHING } from '../support/images.js';

const TAKES_TREE = 'FROM scratch\nLABELLED\nCOPY tree /tree\n';

/** What COPY of this builder makes of a tree that it was sent unchanged: no context can keep it from that. */
function copied(line: Line, { builder }: Subject, majorVersion: number, parents: ReadonlySet<string>): Line {
  if (builder === 'classic') {
    // It makes the folder that it copies to anew.
    return { ...line, ...(line.path === '.' && { mtime: 'now' }) };
  }
  // Before 23.0, the time of a folder was that of the last thing copied into it.
  return majorVersion < 23 && parents.has(line.path) ? { ...line, mtime: 'now' } : line;
}

async function expectFaithful(subject: Subject, commands: readonly string[]): Promise<void> {
  const { images, name, ...given } = await project(subject.engine, {
    'build.yml': buildYml({
      made: ['dockerfile: Dockerfile.made', 'artifacts: [/tree]', 'keep: true'],
      taken: ['dockerfile: Dockerfile.taken', 'depends_on: [made]'],
    }),
    'Dockerfile.made': `FROM busybox:latest\nLABELLED\nRUN ${commands.join(' && ')}\n`,
    'Dockerfile.taken': TAKES_TREE,
  });
  await built(subject, { images, name, ...given });
  const made = await listing(images, name('made'), '/tree');
  expect(made.length).toBeGreaterThan(20);
  const parents = new Set(made.map(({ path }) => (path.includes('/') ? path.replace(/\/[^/]*$/, '') : '.')));
  const version = await images.majorVersion();
  const wanted = made.map((line) => copied(line, subject, version, parents));
  const unknown = new Set(wanted.filter(({ mtime }) => mtime === 'now').map(({ path }) => path));
  const taken = await listing(images, name('taken'), '/tree');
  expect(taken.map((line) => (unknown.has(line.path) ? { ...line, mtime: 'now' } : line))).toEqual(wanted);
}

describe.each(subjects())('on $name', (subject) => {
  test.concurrent('a tree with all that a file system can hold arrives as it was', async () => {
    await expectFaithful(subject, ODD_TREE);
  });

  test.concurrent('so does one with names that are not UTF-8', async () => {
    await expectFaithful(subject, [NOT_UTF8, ...ODD_TREE]);
  });

  test.concurrent('they come out of images in which nothing can run', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        bare: ['dockerfile: Dockerfile.bare', 'artifacts: [/data, "/folder:sub", /folder/link]'],
        taken: ['dockerfile: Dockerfile.taken', 'depends_on: [bare]'],
      }),
      'Dockerfile.bare':
        'FROM busybox:latest AS make\nRUN mkdir /f && echo in > /f/in && ln -s data /f/link\n' +
        'FROM scratch\nLABELLED\nCOPY data /data\nCOPY --from=make /f /folder\n',
      data: 'of the user\n',
      'Dockerfile.taken': 'FROM scratch\nLABELLED\nCOPY . /all\n',
      '.dockerignore': '*\n!data\n',
    });
    const before = await snapshot(given.directory);
    await built(subject, given);
    expect((await listing(given.images, given.name('taken'), '/all')).map(({ path }) => path)).toEqual([
      '.',
      'data',
      'link',
      'sub',
      'sub/folder',
      'sub/folder/in',
      'sub/folder/link',
    ]);
    expect(await snapshot(given.directory)).toEqual(before);
  });

  test.concurrent('they reach all that come after their step, in any context, ignored or not', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        one: ['context: ctx', 'dockerfile: Dockerfile.one', 'artifacts: ["/one:ctx/got"]'],
        two: ['context: ctx', 'dockerfile: Dockerfile.two', 'depends_on: [one]', 'artifacts: ["/two:ctx"]'],
        three: ['context: ctx', 'dockerfile: Dockerfile.three', 'depends_on: [two]'],
      }),
      'ctx/Dockerfile.one': 'FROM busybox:latest\nLABELLED\nRUN echo 1 > /one\n',
      'ctx/Dockerfile.two': 'FROM busybox:latest\nLABELLED\nCOPY got/one /two\nRUN echo 2 >> /two\n',
      'ctx/Dockerfile.three': 'FROM busybox:latest\nLABELLED\nCOPY two got/one /out/\n',
      'ctx/two': 'an older one, of the user\n',
      'ctx/.dockerignore': '**\n',
    });
    const before = await snapshot(given.directory);
    await built(subject, given);
    expect(await given.images.text(given.name('three'), '/out/one')).toBe('1\n');
    expect(await given.images.text(given.name('three'), '/out/two')).toBe('1\n2\n');
    expect(await snapshot(given.directory)).toEqual(before);
  });

  test.concurrent('one that is not in the image fails its step and says so', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ made: ['artifacts: [/there/is/none]'], taken: ['depends_on: [made]'] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\n',
    });
    const { result } = await buildProject(subject, given);
    expect(failureOf(result)).toEqual({
      step: 'made',
      message: 'artifact /there/is/none is not in the image',
      hint: 'Check the path: artifacts are taken from the built and cleaned image.',
    });
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test.concurrent('--keep-artifacts leaves them in the work directory, and only after success', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        made: ['dockerfile: Dockerfile.made', 'artifacts: ["/tree:out/deep", /etc/version]'],
        last: ['dockerfile: Dockerfile.last', 'depends_on: [made]'],
      }),
      'Dockerfile.made': `FROM busybox:latest\nLABELLED\nRUN ${ODD_TREE.join(' && ')}\nRUN mkdir -p /etc && echo 7 > /etc/version\n`,
      'Dockerfile.last': 'FROM busybox:latest\nLABELLED\nARG CODE\nRUN exit $CODE\n',
    });
    const before = await snapshot(given.directory);
    const failed = await buildProject(subject, given, { keepArtifacts: true, buildArgs: { CODE: '1' } });
    expect(failed.result.status).toBe('failed');
    expect(await snapshot(given.directory)).toEqual(before);
    await built(subject, given, { keepArtifacts: true, buildArgs: { CODE: '0' } });
    const at = (path: string): string => join(given.directory, path);
    expect(await readFile(at('version'), 'utf8')).toBe('7\n');
    const tree = at('out/deep/tree');
    expect(await readlink(join(tree, 'dangling'))).toBe('nowhere/at/all');
    const one = await lstat(join(tree, 'one'));
    expect((await lstat(join(tree, 'two'))).ino).toBe(one.ino);
    expect([one.mode & 0o7777, one.mtime.toISOString()]).toEqual([0o640, '1999-12-31T23:59:59.000Z']);
    expect((await lstat(join(tree, 'closed'))).mode & 0o7777).toBe(0o500);
  });

  test.concurrent(
    '--keep-artifacts with something in the way gives no name and says what to do',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({ made: ['artifacts: ["/etc/passwd:out"]'] }),
        Dockerfile: 'FROM busybox:latest\nLABELLED\n',
        out: 'a file of the user\n',
      });
      const failure: unknown = await buildProject(subject, given, { keepArtifacts: true }).catch(
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(UsageError);
      expect(failure).toMatchObject({
        message: 'Cannot keep the artifact "out": it is a folder, but a file is in its place',
        hint: 'Move that away, give the artifact another destination, or build without --keep-artifacts.',
      });
      expect(await given.images.names(given.name('').slice(0, -7))).toEqual({});
      expect(await given.images.traces(given.id)).toEqual(NOTHING);
    },
  );
});

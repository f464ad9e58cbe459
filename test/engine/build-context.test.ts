/** What a build sees as its context: .dockerignore, Dockerfiles anywhere, and nothing that this program added. */
import { chmod, link, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { built, buildProject, failureOf } from '../support/build-library.js';
import { buildYml, project, subjects } from '../support/build-project.js';
import { listing } from '../support/build-tree.js';

const paths = async (...args: Parameters<typeof listing>): Promise<readonly string[]> =>
  (await listing(...args)).map(({ path }) => path).filter((path) => path !== '.');

describe.each(subjects())('on $name', (subject) => {
  test.concurrent('COPY . copies what docker build would, also where a FROM was redirected', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        base: ['dockerfile: docker/Dockerfile.base'],
        all: ['dockerfile: docker/Dockerfile.all'],
      }),
      'docker/Dockerfile.base': 'FROM scratch\nLABELLED\nCOPY kept /base\n',
      'docker/Dockerfile.all': 'FROM @base\nCOPY . /all/\n',
      kept: 'kept\n',
      'sub/kept': 'kept\n',
      'sub/left.log': 'left\n',
    });
    await built(subject, given);
    expect(await paths(given.images, given.name('all'), '/all')).toEqual([
      'build.yml',
      'docker',
      'docker/Dockerfile.all',
      'docker/Dockerfile.base',
      'kept',
      'sub',
      'sub/kept',
      'sub/left.log',
    ]);
    const dockerfile = await given.images.text(given.name('all'), '/all/docker/Dockerfile.all');
    expect(dockerfile).toBe(`FROM ${given.name('base').replace(':latest', '')}\nCOPY . /all/\n`);
  });

  test.concurrent('.dockerignore leaves out what its patterns name, the Dockerfile too', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ base: ['dockerfile: Dockerfile.base'], all: [] }),
      'Dockerfile.base': 'FROM scratch\nLABELLED\nCOPY a.txt /base\n',
      Dockerfile: 'FROM @base\nCOPY . /all/\n',
      '.dockerignore': '# a comment\n*.log\n**/tmp\n!keep.log\nDockerfile*\n.dockerignore\nbuild.yml\n',
      'a.txt': 'a',
      'b.log': 'b',
      'keep.log': 'keep',
      'deep/c.log': 'c',
      'deep/tmp/d': 'd',
    });
    await built(subject, given);
    expect(await paths(given.images, given.name('all'), '/all')).toEqual([
      'a.txt',
      'deep',
      'deep/c.log',
      'keep.log',
    ]);
  });

  test.concurrent('<Dockerfile>.dockerignore wins over .dockerignore', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        own: ['dockerfile: own.Dockerfile'],
        common: ['dockerfile: common.Dockerfile'],
      }),
      'own.Dockerfile': 'FROM scratch\nLABELLED\nCOPY . /all/\n',
      'own.Dockerfile.dockerignore': '*\n!b\n',
      'common.Dockerfile': 'FROM scratch\nLABELLED\nCOPY . /all/\n',
      '.dockerignore': '*\n!a\n',
      a: 'a',
      b: 'b',
    });
    await built(subject, given);
    expect(await paths(given.images, given.name('own'), '/all')).toEqual(['b']);
    expect(await paths(given.images, given.name('common'), '/all')).toEqual(['a']);
  });

  test.concurrent('modes and symlinks of the folder arrive, dangling ones too', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ all: [] }),
      Dockerfile: 'FROM scratch\nLABELLED\nCOPY tree /tree/\n',
      'tree/run.sh': '#!/bin/sh\n',
      'tree/with space/naïve': 'x',
    });
    await chmod(join(given.directory, 'tree/run.sh'), 0o755);
    await symlink('nowhere', join(given.directory, 'tree/dangling'));
    await built(subject, given);
    const tree = await listing(given.images, given.name('all'), '/tree');
    expect(tree.map(({ path, mode, target }) => `${path} ${mode} ${target}`).slice(1)).toEqual([
      'dangling 777 nowhere',
      'run.sh 755 ',
      'with space 755 ',
      `${Buffer.from('with space/naïve').toString('latin1')} 644 `,
    ]);
  });

  test.concurrent('names of one file arrive as they are, however often the folder is sent', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ all: [] }),
      Dockerfile: 'FROM scratch\nLABELLED\nCOPY tree /tree/\n',
      'tree/first': 'one file',
      'tree/sub/other': 'before',
    });
    await link(join(given.directory, 'tree/first'), join(given.directory, 'tree/sub/second'));
    await built(subject, given);
    for (const text of [given.id, `${given.id} again`]) {
      await writeFile(join(given.directory, 'tree/sub/other'), text);
      await built(subject, given);
      const tree = await listing(given.images, given.name('all'), '/tree');
      expect(tree.map(({ path, target }) => `${path} ${target}`)).toEqual([
        '. ',
        'first ',
        'sub ',
        'sub/other ',
        'sub/second tree/first',
      ]);
    }
  });

  test.concurrent(
    'a file that is not in the context fails its COPY, and the hint names .dockerignore',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({ all: [] }),
        Dockerfile: 'FROM busybox:latest\nLABELLED\nCOPY ignored /x\n',
        '.dockerignore': 'ignored\n',
        ignored: '',
      });
      const { result } = await buildProject(subject, given);
      expect(result.steps[0]?.failure?.instruction).toBe('COPY ignored /x');
      expect(failureOf(result)?.hint).toBe(
        'Check the name, that it lies inside the context, and that no line of .dockerignore leaves it out.',
      );
    },
  );
});

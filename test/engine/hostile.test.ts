/** Builds that attack whoever watches them, on every engine by each of its builders. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createReporter } from '../../src/report/reporter.js';
import { buildProject, built, failureOf } from '../support/build-library.js';
import { buildYml, project, subjects } from '../support/build-project.js';
import { listing } from '../support/build-tree.js';

const ESCAPES = String.raw`\033]0;t\007\033]52;c;eA==\033\\\302\233 2J\233\033[2J10%%\r20%%\342\200\256x\000y\n`;

describe.each(subjects())('on $name', (subject) => {
  test.concurrent(
    'output that steers terminals, names that do, and 100 MB on one line are harmless',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({ shout: ['artifacts: [/out]'] }),
        Dockerfile:
          'FROM busybox:latest\nLABELLED\n' +
          `RUN printf '${ESCAPES}' && mkdir /out && touch "$(printf '/out/\\033[2J\\n\\377')" && ln -s ../../../etc /out/link\n` +
          `RUN head -c 100000000 /dev/zero | tr '\\0' x\n`,
      });
      let written = '';
      let longest = 0;
      const stream = { write: (text: string) => (written += text.slice(0, 1000)) !== '' };
      const reporter = createReporter({ kind: 'plain', stream, color: false, suppress: false });
      const { result } = await buildProject(subject, given, {
        emit: (event) => {
          if (event.type === 'output') longest = Math.max(longest, event.line.length);
          reporter.emit(event);
        },
        keepArtifacts: true,
        noCache: true,
      });
      expect(result.status).toBe('succeeded');
      expect(longest).toBeGreaterThan(1000);
      expect(longest).toBeLessThanOrEqual(64 * 1024);
      expect(written).toContain('|   20%');
      expect(written.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
      expect(readdirSync(join(given.directory, 'out')).sort()).toEqual(['\u001b[2J\n\ufffd', 'link']);
    },
  );

  test.concurrent('a context with pipes, sockets, endless links and odd names is built from', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ odd: [] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nCOPY . /all/\n',
      'dir/file': 'x',
      'odd\n\u001b[2J': 'x',
    });
    const at = (name: string): string => join(given.directory, name);
    symlinkSync('loop', at('loop'));
    symlinkSync('.', at('dir/self'));
    symlinkSync('self/self/grow', at('dir/grow'));
    symlinkSync('/dev/zero', at('dir/zero'));
    execFileSync('mkfifo', [at('dir/pipe')]);
    const server = createServer().listen(at('dir/socket'));
    await once(server, 'listening');
    try {
      await built(subject, given);
    } finally {
      server.close();
    }
    const found = await listing(given.images, given.name('odd'), '/all');
    expect(found.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'dir',
        'dir/file',
        'dir/grow',
        'dir/self',
        'dir/zero',
        'loop',
        'odd\n\u001b[2J',
      ]),
    );
    expect(found.map(({ path }) => path)).not.toContain('dir/socket');
  });

  test.concurrent(
    'a file that vanishes while the context is read ends in an error that names it',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({ gone: [] }),
        Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN true\nCOPY gone /gone\n',
      });
      const file = join(given.directory, 'gone');
      writeFileSync(file, 'x');
      // Nobody may read it but root, whom nothing stops: it vanishes for everybody instead.
      const { result } = await buildProject(subject, given, {
        emit: (event) => {
          if (event.type === 'step-started') rmSync(file);
        },
      });
      expect(result.status).toBe('failed');
      expect(failureOf(result)?.message).toMatch(/gone/);
    },
  );
});

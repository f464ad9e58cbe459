/** What the program writes where, and its exit statuses, as scripts and pipes see them. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Gates } from '../support/build-gates.js';
import { habitus, start } from '../support/build-program.js';
import { buildYml, project } from '../support/build-project.js';
import { anEngine } from '../support/engines.js';
import { NOTHING } from '../support/images.js';

const engine = anEngine();
const FILES = {
  'build.yml': buildYml({ a: ['command: echo said'], b: ['depends_on: [a]'] }),
  Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN echo built\n',
};

const jsonLines = (text: string): readonly Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('output', () => {
  test.concurrent('--json puts the result, and nothing else, on standard output', async () => {
    const given = await project(engine, FILES);
    const { code, stdout, stderr } = await habitus(engine, ['-d', given.directory, '--json']);
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout) as { session: string; steps: Record<string, unknown>[] };
    expect(result).toMatchObject({ status: 'succeeded', durationMs: expect.any(Number) as number });
    expect(result.session).toMatch(/^[0-9a-z]{12}$/);
    expect(result.steps).toEqual(
      ['a', 'b'].map((label) => ({
        label,
        imageName: given.name(label),
        status: 'succeeded',
        durationMs: expect.any(Number) as number,
        imageId: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
        names: [given.name(label)],
      })),
    );
  });

  test.concurrent('without --json standard output stays empty', async () => {
    const given = await project(engine, FILES);
    const { code, stdout, stderr } = await habitus(engine, ['-d', given.directory]);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(/\n✓ built 2 images in .+ \(session [0-9a-z]{12}\)\n$/);
  });

  test.concurrent('a build of many steps from many images says nothing of how it works', async () => {
    const labels = Array.from({ length: 14 }, (_, index) => `s${index}`);
    const bases = await project(engine, {
      'build.yml': buildYml(Object.fromEntries(labels.map((label) => [label, []]))),
      Dockerfile: 'FROM busybox:latest\nLABELLED\n',
    });
    const first = await habitus(engine, ['-d', bases.directory]);
    expect(first.code, first.stderr).toBe(0);
    const given = await project(engine, {
      'build.yml': buildYml(Object.fromEntries(labels.map((label) => [label, [`dockerfile: ${label}.df`]]))),
      ...Object.fromEntries(labels.map((label) => [`${label}.df`, `FROM ${bases.name(label)}\nLABELLED\n`])),
    });
    const second = await habitus(engine, ['-d', given.directory, '--jobs', '14']);
    expect(second.code, second.stderr).toBe(0);
    expect(second.stderr).not.toContain('Warning');
  });

  test.concurrent('--progress json writes events only, one a line', async () => {
    const given = await project(engine, FILES);
    const { code, stderr } = await habitus(engine, ['-d', given.directory, '--progress', 'json']);
    expect(code).toBe(0);
    const types = jsonLines(stderr).map(({ type }) => type);
    expect([types[0], types.at(-1)]).toEqual(['build-started', 'build-finished']);
    expect(jsonLines(stderr)).toContainEqual(
      expect.objectContaining({ type: 'output', step: 'a', phase: 'command', line: 'said' }),
    );
  });

  test.concurrent('--log-file appends JSON lines, with the failure and its cause', async () => {
    const given = await project(engine, {
      ...FILES,
      Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN exit 8\n',
    });
    const file = join(given.directory, 'diagnostics.log');
    const args = ['-d', given.directory, '--log-file', file, '--log-level', 'debug'];
    expect((await habitus(engine, args)).code).toBe(1);
    const once = jsonLines(await readFile(file, 'utf8')).length;
    expect((await habitus(engine, args)).code).toBe(1);
    const text = await readFile(file, 'utf8');
    expect(jsonLines(text).length).toBeGreaterThan(once);
    expect(text).toContain('RUN exit 8');
  });

  test.concurrent('--suppress hides what builds and commands print', async () => {
    const given = await project(engine, FILES);
    const { code, stderr } = await habitus(engine, ['-d', given.directory, '--suppress']);
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/^a +\| +said$/m);
    expect(stderr).toContain('✓ built 2 images');
  });

  test.concurrent('a reader that goes away does not stop the build', async () => {
    const gates = await Gates.start();
    const given = await project(engine, {
      ...FILES,
      Dockerfile: `FROM busybox:latest\nLABELLED\nRUN ${gates.wait('run')}; for i in $(seq 5000); do echo line $i; done\n`,
    });
    const program = await start(engine, ['-d', given.directory, '--json']);
    await Promise.race([gates.at('run').reached, program.ended]);
    program.child.stderr?.destroy();
    program.child.stdout?.destroy();
    gates.at('run').open();
    const [code] = (await once(program.child, 'exit')) as [number];
    expect(code).toBe(0);
    expect(Object.keys(await given.images.names(`habitus.invalid/${given.id}/`))).toHaveLength(2);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });
});

describe('exit status', () => {
  test.concurrent('2 for a wrong build file, with every problem in its place', async () => {
    const given = await project(engine, {
      'build.yml':
        'build:\n  version: 2016-03-14\n  steps:\n    a:\n      name: x/a\n      dockerfil: D\n    b:\n      name: x/b\n      depends_on: [c]\n',
      Dockerfile: 'FROM busybox:latest\n',
    });
    const { code, stdout, stderr } = await habitus(engine, ['-d', given.directory, '--json']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/build\.yml:6:7/);
    expect(stderr).toMatch(/build\.yml:9:20/);
    expect(stderr).toMatch(/error: 2 problems; nothing was built\n$/);
  });

  test.concurrent('2 for a flag that is not known', async () => {
    const { code, stderr } = await habitus(engine, ['--no-cash']);
    expect(code).toBe(2);
    expect(stderr).toContain('--no-cache');
  });

  test.concurrent('2 where there is no build file, or no folder', async () => {
    const given = await project(engine, { Dockerfile: 'FROM busybox:latest\n' });
    for (const directory of [given.directory, join(given.directory, 'none')]) {
      const { code, stderr } = await habitus(engine, ['-d', directory]);
      expect(code).toBe(2);
      expect(stderr).toContain(directory);
    }
  });

  test.concurrent('3 where no engine answers', async () => {
    const given = await project(engine, FILES);
    const { code, stderr } = await habitus(engine, ['-d', given.directory], {
      env: { DOCKER_HOST: 'unix:///there/is/no.sock' },
    });
    expect(code).toBe(3);
    expect(stderr).toContain('unix:///there/is/no.sock');
  });

  test.concurrent('a second signal ends it at once', async () => {
    const gates = await Gates.start();
    const given = await project(engine, {
      ...FILES,
      Dockerfile: `FROM busybox:latest\nLABELLED\nRUN ${gates.wait('run')}\n`,
    });
    const program = await start(engine, ['-d', given.directory]);
    await Promise.race([gates.at('run').reached, program.ended]);
    program.child.kill('SIGINT');
    program.child.kill('SIGTERM');
    const { code, stderr } = await program.ended;
    expect([130, 143]).toContain(code);
    expect(stderr).toContain(
      'what is left is collected by "habitus gc" and by the next build on this machine',
    );
  });
});

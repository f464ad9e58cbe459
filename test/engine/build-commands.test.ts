/** `command` in a container of the image and `after_build_command` on this machine: when they run, and what counts. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildProject, built } from '../support/build-library.js';
import { buildYml, project, someSubjects } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';

describe.each(someSubjects('e20'))('on $name', (subject) => {
  test.concurrent(
    'they come after build and artifacts, in this order, and tell what they print',
    async () => {
      const given = await project(subject.engine, {
        'build.yml': buildYml({
          app: [
            'artifacts: [/made]',
            'command: echo out of $(cat /made); echo err >&2',
            'after_build_command: echo "$HABITUS_STEP" | tee told; docker_image=$HABITUS_IMAGE_ID; test -n "$docker_image"',
          ],
        }),
        Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN echo the image > /made\nENTRYPOINT ["/never"]\n',
      });
      const { events, output } = await built(subject, given, { allowAfterBuildCommands: true });
      expect(events.flatMap((event) => (event.type === 'phase-started' ? [event.phase] : []))).toEqual([
        'build',
        'artifacts',
        'command',
        'after_build_command',
      ]);
      expect(output).toEqual(expect.arrayContaining(['out of the image', 'err', 'app']));
      expect(await readFile(join(given.directory, 'told'), 'utf8')).toBe('app\n');
    },
  );

  test.concurrent('a command goes through the SHELL of its image', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ app: ['command: $0 is the shell'] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nSHELL ["/bin/echo", "said:"]\n',
    });
    const { output } = await built(subject, given);
    expect(output).toEqual(['said: $0 is the shell']);
  });

  test.concurrent('one that exits non-zero fails the build, with its last output', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ app: ['command: "echo almost; exit 4"'], next: ['depends_on: [app]'] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\n',
    });
    const { result } = await buildProject(subject, given);
    expect(result.status).toBe('failed');
    expect(result.steps[0]?.failure).toEqual({
      message: 'command exited with 4: echo almost; exit 4',
      instruction: 'echo almost; exit 4',
      exitCode: 4,
      output: ['almost'],
    });
    expect(result.steps[1]?.status).toBe('skipped');
    expect(await given.images.names(`habitus.invalid/${given.id}/`)).toEqual({});
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test.concurrent('so does one on the host', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ app: ['after_build_command: "echo almost >&2; exit 6"'] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\n',
    });
    const { result } = await buildProject(subject, given, { allowAfterBuildCommands: true });
    expect(result.steps[0]?.failure).toMatchObject({ exitCode: 6, output: ['almost'] });
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });
});

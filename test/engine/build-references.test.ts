/** FROM, COPY --from and mounts of other steps' images: they mean the images of this very build. */
import { describe, expect, test } from 'vitest';
import { build } from '../../src/index.js';
import { buildProject, built } from '../support/build-library.js';
import { buildYml, project, subjects } from '../support/build-project.js';

describe.each(subjects())('on $name', (subject) => {
  test.concurrent('every stage, global ARGs, platforms and --uid are understood', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        tools: ['dockerfile: Dockerfile.tools'],
        data: ['dockerfile: Dockerfile.data'],
        app: ['dockerfile: Dockerfile.app', 'args: { TOOLS: "@tools" }'],
      }),
      'Dockerfile.tools': 'FROM busybox:latest\nLABELLED\nRUN echo tools > /tools\n',
      'Dockerfile.data': 'FROM scratch\nLABELLED\nCOPY file /data\n',
      file: 'data\n',
      'Dockerfile.app': [
        'ARG TOOLS=busybox:latest',
        'from ${TOOLS} \\',
        '  # a comment in between',
        '  as first',
        'RUN cp /tools /first',
        'FROM --platform=linux @tools:latest',
        'COPY --from=first /first /first',
        'COPY --from=@data \\',
        '  /data /data',
        '',
      ].join('\n'),
    });
    const { result } = await built(subject, given, { uid: 'CI7' });
    const name = given.name('app').replace(':latest', '-ci7:latest');
    expect(result.steps.find(({ label }) => label === 'app')?.names).toEqual([name]);
    expect(await given.images.text(name, '/first')).toBe('tools\n');
    expect(await given.images.text(name, '/data')).toBe('data\n');
    expect(Object.keys(await given.images.names(`habitus.invalid/${given.id}/`))).toEqual([name]);
  });

  test.concurrent('a stage of the same name wins over a step', async () => {
    const given = await project(subject.engine, {
      'build.yml': [
        'build:',
        '  version: 2016-03-14',
        '  steps:',
        `    one: { name: "stage", dockerfile: Dockerfile.one, keep: false }`,
        '    two: { name: "@two", dockerfile: Dockerfile.two, depends_on: [one] }',
        '',
      ].join('\n'),
      'Dockerfile.one': 'FROM busybox:latest\nLABELLED\nRUN echo step > /who\n',
      'Dockerfile.two':
        'FROM busybox:latest AS stage\nRUN echo stage > /who\nFROM scratch\nLABELLED\nCOPY --from=stage /who /who\n',
    });
    await built(subject, given);
    expect(await given.images.text(given.name('two'), '/who')).toBe('stage\n');
  });

  test.concurrent('a step wins over a registry’s or an earlier image of its name', async () => {
    const given = await project(subject.engine, {
      'build.yml': [
        'build:',
        '  version: 2016-03-14',
        '  steps:',
        '    base: { name: "alpine:3", dockerfile: Dockerfile.base, keep: false }',
        '    app: { name: "@app", dockerfile: Dockerfile.app }',
        '',
      ].join('\n'),
      'Dockerfile.base': 'FROM busybox:latest\nLABELLED\nRUN echo mine > /whose\n',
      'Dockerfile.app': 'FROM alpine:3\nRUN cat /whose\n',
    });
    const { events } = await built(subject, given);
    expect(await given.images.text(given.name('app'), '/whose')).toBe('mine\n');
    // A registry that was asked would be told of: no name of the session or the Hub is pulled.
    expect(JSON.stringify(events)).not.toMatch(/pulling|registry-1|resolve docker.io\/library\/alpine/i);
    expect(await given.images.idOf('alpine:3')).toBeUndefined();
  });

  test.concurrent('a Dockerfile error keeps its line, after a reference that became longer', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ base: ['dockerfile: Dockerfile.base'], app: ['dockerfile: Dockerfile.app'] }),
      'Dockerfile.base': 'FROM busybox:latest\nLABELLED\n',
      'Dockerfile.app': '# one\nFROM @base\nRUN true \\\n  && true\n\nTYPO here\n',
    });
    // Told before anything is built, or by the builder: with the line in any case.
    const told = await buildProject(subject, given).then(
      ({ result }) => JSON.stringify(result),
      (error: unknown) => String(error),
    );
    expect(told).toMatch(/TYPO/i);
    expect(told).toMatch(/\b(line |:)6\b/);
  });

  test.concurrent('RUN --mount takes files from a step, where the builder can', async () => {
    const given = await project(subject.engine, {
      'build.yml': buildYml({ data: ['dockerfile: Dockerfile.data'], app: ['dockerfile: Dockerfile.app'] }),
      'Dockerfile.data': 'FROM scratch\nLABELLED\nCOPY file /data\n',
      file: 'data\n',
      'Dockerfile.app':
        'FROM busybox:latest\nLABELLED\nRUN --mount=type=bind,from=@data,target=/mnt cp /mnt/data /copied\n',
    });
    if (subject.builder === 'classic') {
      const building = build({
        workDirectory: given.directory,
        builder: 'classic',
        engine: { host: subject.engine.host },
      });
      await expect(building).rejects.toThrow(
        'the classic builder does not know what these Dockerfiles use:\n  Dockerfile.app:3: RUN --mount',
      );
      return;
    }
    await built(subject, given);
    expect(await given.images.text(given.name('app'), '/copied')).toBe('data\n');
  });
});

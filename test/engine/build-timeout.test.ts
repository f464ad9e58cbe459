/** Steps and builds whose time is up, on real engines: what works is stopped, and nothing is left. */
import { describe, expect, test } from 'vitest';
import type { BuildOptions, Emit } from '../../src/index.js';
import { Gates } from '../support/build-gates.js';
import { buildProject, type Built } from '../support/build-library.js';
import { buildYml, project, subjects, type Project, type Subject } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';
import { TimeSpans } from '../support/time-spans.js';

/** Far longer than a test may take: what is not stopped fails it. */
const FOR_EVER = 'sleep 600';

const spans = new TimeSpans();

const newest = (text: string): string => text.replace('2016-03-14', '2026-11-22');

/** Build it, and see that nothing is left. */
async function stop(subject: Subject, given: Project, options: BuildOptions = {}): Promise<Built> {
  const built = await buildProject(subject, given, options);
  expect(await given.images.traces(given.id)).toEqual(NOTHING);
  expect(await given.images.names(`habitus.invalid/${given.id}/`)).toEqual({});
  return built;
}

/** An observer of the build, for when the first line of output is told. */
const onOutput =
  (then: () => void): Emit =>
  ({ type }) => {
    if (type === 'output') then();
  };

const failureIn = ({ result }: Built, label: string) =>
  result.steps.find((step) => step.label === label)?.failure;

describe.each(subjects())('on $name', (subject) => {
  const { engine } = subject;

  test.concurrent('the timeout of a step stops RUN, and the failure says what it was at', async () => {
    const span = spans.next();
    const given = await project(engine, {
      'build.yml': newest(buildYml({ slow: [`timeout: ${span.text}`], after: ['depends_on: [slow]'] })),
      Dockerfile: `FROM busybox:latest\nLABELLED\nRUN echo early > /early\nRUN echo begun && ${FOR_EVER}\n`,
    });
    const built = await stop(subject, given, { emit: onOutput(span.pass) });
    const { result } = built;
    expect(result.status).toBe('failed');
    expect(failureIn(built, 'slow')).toEqual({
      message: `slow took longer than its timeout of ${span.text}`,
      instruction: expect.stringMatching(/RUN echo begun && sleep 600$/) as string,
      output: ['begun'],
      hint: 'Find out what it waits for, or give it a longer "timeout" in the build file.',
    });
    expect(result.steps.map(({ label, status }) => `${label} ${status}`)).toEqual([
      'slow failed',
      'after skipped',
    ]);
  });

  test.concurrent('the timeout of the build stops a cleanup command', async () => {
    const span = spans.next();
    const gates = await Gates.start();
    const given = await project(engine, {
      'build.yml': buildYml({ a: [`cleanup: { commands: [${JSON.stringify(gates.wait('cleanup'))}] }`] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN echo a > /a\n',
    });
    const building = stop(subject, given, { timeoutMs: span.ms });
    await gates.at('cleanup').reached;
    span.pass();
    const { result } = await building;
    const reason = `the build took longer than ${span.text}`;
    expect(result).toMatchObject({ status: 'failed', reason });
    expect(result.steps[0]).toMatchObject({ status: 'cancelled', reason });
  });

  test.concurrent('the timeout of a step stops its command on the host', async () => {
    const span = spans.next();
    const command = `trap : TERM; echo begun; ${FOR_EVER}; ${FOR_EVER}`;
    const given = await project(engine, {
      'build.yml': newest(
        buildYml({ a: [`timeout: ${span.text}`, `after_build_command: ${JSON.stringify(command)}`] }),
      ),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nRUN echo a > /a\n',
    });
    const built = await stop(subject, given, { allowAfterBuildCommands: true, emit: onOutput(span.pass) });
    expect(failureIn(built, 'a')).toMatchObject({
      message: `a took longer than its timeout of ${span.text}`,
      instruction: command,
      output: ['begun'],
    });
  });
});

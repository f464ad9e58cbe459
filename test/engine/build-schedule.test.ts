/** What runs when: proved by gates that RUN instructions wait at, on every engine by each of its builders. */
import { describe, expect, test } from 'vitest';
import { Gates } from '../support/build-gates.js';
import { buildProject, built, timeOf } from '../support/build-library.js';
import { buildYml, project, someSubjects } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';

/** Engines stop a RUN within a third of a second; only a hang takes this long, on the busiest machine. */
const PROMPTLY_MS = 20_000;

const wait = (command: string): string => `FROM busybox:latest\nLABELLED\nRUN ${command}\n`;

describe.each(someSubjects('e28c'))('on $name', (subject) => {
  test.concurrent('b starts when a ends, while an unrelated slow step still runs', async () => {
    const gates = await Gates.start();
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        slow: ['dockerfile: Dockerfile.slow'],
        a: ['dockerfile: Dockerfile.a'],
        b: ['dockerfile: Dockerfile.b', 'depends_on: [a]'],
      }),
      'Dockerfile.slow': wait(gates.wait('slow')),
      'Dockerfile.a': wait(gates.wait('a')),
      'Dockerfile.b': wait(gates.wait('b')),
    });
    let slowEnded = false;
    let bStarted = false;
    const building = built(subject, given, {
      jobs: 2,
      emit: (event) => {
        if (event.type === 'step-finished' && event.step === 'slow') slowEnded = true;
        if (event.type === 'step-started' && event.step === 'b') bStarted = true;
      },
    });
    await Promise.race([Promise.all([gates.at('slow').reached, gates.at('a').reached]), building]);
    expect(bStarted).toBe(false);
    gates.at('a').open();
    await Promise.race([gates.at('b').reached, building]);
    expect(slowEnded).toBe(false);
    gates.at('slow').open();
    gates.at('b').open();
    await building;
  });

  test.concurrent('no more steps work than jobs allow', async () => {
    const gates = await Gates.start();
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        one: ['dockerfile: Dockerfile.one'],
        two: ['dockerfile: Dockerfile.two'],
      }),
      'Dockerfile.one': wait(gates.wait('one')),
      'Dockerfile.two': wait(gates.wait('two')),
    });
    const building = built(subject, given, { jobs: 1 });
    await Promise.race([gates.at('one').reached, building]);
    gates.at('one').open();
    await Promise.race([gates.at('two').reached, building]);
    gates.at('two').open();
    const { events } = await building;
    expect(timeOf(events, 'step-started', 'two')).toBeGreaterThanOrEqual(
      timeOf(events, 'step-finished', 'one'),
    );
  });

  test.concurrent(
    'a failure cancels the running steps within a second, and nothing is left of them',
    async () => {
      const gates = await Gates.start();
      const given = await project(subject.engine, {
        'build.yml': buildYml({
          slow: ['dockerfile: Dockerfile.slow'],
          broken: ['dockerfile: Dockerfile.broken'],
          after: ['dockerfile: Dockerfile.slow', 'depends_on: [slow]'],
        }),
        'Dockerfile.slow': wait(gates.wait('slow')),
        'Dockerfile.broken': wait(`${gates.wait('broken')}; exit 5`),
      });
      const building = buildProject(subject, given);
      await Promise.race([Promise.all([gates.at('slow').reached, gates.at('broken').reached]), building]);
      gates.at('broken').open();
      const { result, events } = await building;
      expect(result).toMatchObject({
        status: 'failed',
        steps: [
          { label: 'slow', status: 'cancelled', reason: 'broken failed' },
          { label: 'broken', status: 'failed', failure: { exitCode: 5 } },
          { label: 'after', status: 'skipped', reason: 'broken failed' },
        ],
      });
      const took = timeOf(events, 'step-finished', 'slow') - timeOf(events, 'step-finished', 'broken');
      expect(took).toBeLessThan(PROMPTLY_MS);
      expect(await given.images.traces(given.id)).toEqual(NOTHING);
    },
  );
});

/** Two builds of one folder at the same time: each keeps to its own images, and the names get one build's whole result. */
import { describe, expect, test } from 'vitest';
import { Gates } from '../support/build-gates.js';
import { built } from '../support/build-library.js';
import { buildYml, project, subjects } from '../support/build-project.js';
import { engines } from '../support/engines.js';
import { NOTHING } from '../support/images.js';

const NAMES = ['one', 'two', 'three', 'four'];

describe.each(subjects())('on $name', (subject) => {
  test.concurrent('both succeed, and each name holds one build’s whole result', async () => {
    const gates = await Gates.start();
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        base: ['dockerfile: Dockerfile.base', 'artifacts: [/colour]'],
        ...Object.fromEntries(
          NAMES.map((name) => [name, ['dockerfile: Dockerfile.take', 'depends_on: [base]']]),
        ),
      }),
      'Dockerfile.base': `FROM busybox:latest\nLABELLED\nARG COLOUR\nRUN echo $COLOUR > /colour\nRUN ${gates.wait('base')}\n`,
      'Dockerfile.take':
        'FROM @base\nARG COLOUR\nCOPY colour /copied\nRUN cmp /colour /copied && echo $COLOUR > /arg\n',
    });
    const colours = ['red', 'blue', 'red', 'blue'];
    const building = colours.map((colour) => built(subject, given, { buildArgs: { COLOUR: colour } }));
    await Promise.race([gates.at('base').reached, ...building]);
    gates.at('base').open();
    const results = await Promise.all(building);
    const ids = await given.images.names(`habitus.invalid/${given.id}/`);
    expect(Object.keys(ids)).toEqual(NAMES.map(given.name).sort());
    // All names hold what one of the builds has made of them.
    const told = results.map(({ result }) =>
      Object.fromEntries(
        result.steps
          .filter(({ label }) => label !== 'base')
          .map(({ label, imageId }) => [given.name(label), imageId]),
      ),
    );
    expect(told).toContainEqual(ids);
    const texts = await Promise.all(NAMES.map((name) => given.images.text(given.name(name), '/copied')));
    expect(new Set(texts).size).toBe(1);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });
});

describe.each(engines())('on $name', (engine) => {
  const subject = subjects().find(
    ({ engine: { name }, builder }) => name === engine.name && builder === 'classic',
  );

  test('six that give one name at the same time all succeed, and one of them has it', async () => {
    if (subject === undefined) throw new Error('the engine has no classic builder');
    const given = await project(engine, {
      'build.yml': buildYml({ app: [] }),
      Dockerfile: 'FROM busybox:latest\nLABELLED\nARG ROUND\nRUN echo $ROUND > /round\n',
    });
    const rounds = Array.from({ length: 6 }, (_, index) => String(index));
    const results = await Promise.all(rounds.map((ROUND) => built(subject, given, { buildArgs: { ROUND } })));
    const ids = results.map(({ result }) => result.steps[0]?.imageId);
    expect(new Set(ids).size).toBe(rounds.length);
    expect(ids).toContain(await given.images.idOf(given.name('app')));
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });
});

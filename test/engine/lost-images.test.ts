/** Images that somebody removes while a session holds them: the build is made once more, and is of one piece. */
import { describe, expect, test } from 'vitest';
import { connect } from '../../src/engine/connect.js';
import { Gates } from '../support/build-gates.js';
import { built } from '../support/build-library.js';
import { buildYml, project, subjects } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';
import { NEVER } from '../support/tar.js';

const FILES = {
  // Where it is made again it is another.
  'Dockerfile.made':
    'FROM busybox:latest\nLABELLED\nRUN head -c 16 /dev/urandom | md5sum > /which && cp /which /artifact\n',
  'Dockerfile.taken': 'FROM @made\nCOPY artifact /copied\nRUN cmp /which /copied\n',
};

describe.each(subjects())('on $name', (subject) => {
  const named = { needs: [], dockerfile: 'Dockerfile.alone' };
  const taken = { needs: ['depends_on: [made, gate]'], dockerfile: 'Dockerfile.taken' };
  test.each([
    ['removed by force when it is to be named', { ...named, isPruned: false }],
    ['removed by force when a step is to be made from it', { ...taken, isPruned: false }],
    ['gone by `docker image prune -a` when it is to be named', { ...named, isPruned: true }],
    ['gone by `docker image prune -a` when a step is to be made from it', { ...taken, isPruned: true }],
  ])('an image that is %s', async (_, { needs, dockerfile, isPruned }) => {
    const gates = await Gates.start();
    const given = await project(subject.engine, {
      ...FILES,
      'build.yml': buildYml({
        made: ['dockerfile: Dockerfile.made', 'artifacts: [/artifact]', 'keep: true'],
        gate: ['dockerfile: Dockerfile.gate', 'keep: true'],
        last: [`dockerfile: ${dockerfile}`, ...needs],
      }).replace('2016-03-14', '2026-11-22'),
      'Dockerfile.alone': 'FROM busybox:latest\nLABELLED\nRUN true\n',
      'Dockerfile.gate': `FROM busybox:latest\nLABELLED\nRUN ${gates.wait('gate')}\n`,
    });
    const { host } = subject.engine;
    const engine = await connect({ host, env: {} }, NEVER);
    try {
      // A prune in the midst of a build would take more from it than an image that is ready.
      const awaited = new Set(needs.length > 0 ? ['made'] : ['made', 'last']);
      let tell: (imageId: string) => void = () => undefined;
      const made = new Promise<string>((resolve) => (tell = resolve));
      let first = '';
      const building = built(subject, given, {
        emit: (event) => {
          if (event.type !== 'step-finished' || !awaited.delete(event.step)) return;
          if (event.step === 'made') first = event.imageId ?? '';
          if (awaited.size === 0) tell(first);
        },
      });
      expect(await Promise.race([made, building.then(() => 'too late')])).toBe(first);
      await Promise.race([gates.at('gate').reached, building]);
      if (isPruned) await given.images.prune(given.id);
      else await engine.removeImage(first, { force: true });
      expect(await engine.describeImage(first)).toBeUndefined();
      gates.at('gate').open();
      const { result, events } = await building;
      const warnings = events.flatMap((event) =>
        event.type === 'notice' && event.level === 'warning' ? [event.message] : [],
      );
      const lost = isPruned && needs.length === 0 ? 'made, last' : 'made';
      expect(warnings).toEqual([
        `somebody has removed what this session had built of ${lost}: building once more`,
      ]);
      const ids = await given.images.names(`habitus.invalid/${given.id}/`);
      expect(ids).toEqual(
        Object.fromEntries(result.steps.map(({ label, imageId }) => [given.name(label), imageId])),
      );
      const which = await given.images.text(given.name('made'), '/which');
      expect(which).toMatch(/^[0-9a-f]{32}/);
      if (needs.length > 0) {
        expect(await given.images.text(given.name('last'), '/copied')).toBe(which);
      }
      expect(await given.images.traces(given.id)).toEqual(NOTHING);
    } finally {
      await engine.close();
    }
  });
});

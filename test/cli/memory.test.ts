/** Memory does not grow with what passes through: an artifact of 1 GB stays below 150 MB of it. */
import { describe, expect, test } from 'vitest';
import { habitus } from '../support/build-program.js';
import { buildYml, project, subjects } from '../support/build-project.js';
import { anEngine } from '../support/engines.js';

const MEGABYTES = 1024;
const LIMIT_MEGABYTES = 150;

// The engines do not differ in this, and each writes the file several times: one of them has to do.
describe.each(subjects().filter(({ engine }) => engine.name === anEngine().name))(
  'on $name',
  ({ engine, builder }) => {
    test('an artifact of 1 GB passes in less than 150 MB of memory', async () => {
      const given = await project(engine, {
        'build.yml': buildYml({
          made: ['dockerfile: Dockerfile.made', 'artifacts: [/big/file]'],
          taken: ['dockerfile: Dockerfile.taken', 'depends_on: [made]'],
        }),
        // Holes are sent as zeros, and cost the engine no disk.
        'Dockerfile.made': `FROM busybox:latest\nLABELLED\nRUN mkdir /big && truncate -s ${MEGABYTES}M /big/file\n`,
        'Dockerfile.taken': [
          'FROM busybox:latest AS check',
          'COPY file /file',
          'RUN stat -c %s /file > /size',
          'FROM scratch',
          'LABELLED',
          'COPY --from=check /size /size',
          '',
        ].join('\n'),
      });
      const ended = await habitus(engine, ['-d', given.directory, '--builder', builder]);
      expect(ended, ended.stderr).toMatchObject({ code: 0, leftInTmp: [] });
      expect(await given.images.text(given.name('taken'), '/size')).toBe(`${MEGABYTES * 2 ** 20}\n`);
      expect(ended.peakMegabytes).toBeGreaterThan(30);
      expect(ended.peakMegabytes).toBeLessThan(LIMIT_MEGABYTES);
    });
  },
);

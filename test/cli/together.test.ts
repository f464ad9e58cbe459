/** Twenty builds of one directory at once: all succeed, names are of one of them, and nothing is left. */
import { expect, test } from 'vitest';
import { habitus } from '../support/build-program.js';
import { project, subjects } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';

const BUILDS = 20;
/** With `HABITUS_TOGETHER=all` on every engine with each of its builders. */
const SUBJECTS = subjects().filter(
  ({ name }) => process.env['HABITUS_TOGETHER'] === 'all' || ['e20 buildkit', 'e28 classic'].includes(name),
);

const FILES = {
  'build.yml': [
    'build:',
    '  version: 2026-11-22',
    '  steps:',
    '    made:',
    '      name: "@made"',
    '      keep: true',
    '      dockerfile: made.df',
    '      artifacts: ["/out:got"]',
    '      cleanup: { commands: ["rm /waste"] }',
    '    taken:',
    '      name: "@taken"',
    '      dockerfile: taken.df',
    '      depends_on: [made]',
    '',
  ].join('\n'),
  'made.df':
    'FROM busybox:latest\nLABELLED\nARG ROUND\nRUN echo $ROUND > /waste && mkdir /out && echo $ROUND > /out/round\n',
  'taken.df': 'FROM busybox:latest\nLABELLED\nARG ROUND\nCOPY got/out/round /round\nRUN echo $ROUND > /own\n',
};

test.each(SUBJECTS)('on $name', async ({ engine, builder }) => {
  const given = await project(engine, FILES);
  const ended = await Promise.all(
    Array.from({ length: BUILDS }, (_, index) =>
      habitus(engine, [
        ...['-d', given.directory, '--builder', builder, '--progress', 'plain'],
        // Some make the same, some do not.
        ...['--build', `ROUND=${index % 4}`],
      ]),
    ),
  );
  for (const each of ended) expect(each, each.stderr).toMatchObject({ code: 0, leftInTmp: [] });
  const [made, taken, own] = await Promise.all([
    given.images.text(given.name('made'), '/out/round'),
    given.images.text(given.name('taken'), '/round'),
    given.images.text(given.name('taken'), '/own'),
  ]);
  expect([taken, own]).toEqual([made, made]);
  expect(await given.images.traces(given.id)).toEqual(NOTHING);
});

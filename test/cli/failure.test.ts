/** A failed build: what it prints, word for word and alike for both builders, and what stays as it was. */
import { describe, expect, test } from 'vitest';
import { habitus } from '../support/build-program.js';
import { buildYml, project, someSubjects } from '../support/build-project.js';

const FILES = {
  'build.yml': buildYml({
    base: ['dockerfile: Dockerfile.base'],
    broken: ['dockerfile: Dockerfile.broken', 'depends_on: [base]'],
    after: ['dockerfile: Dockerfile.base', 'depends_on: [broken]'],
    aside: ['dockerfile: Dockerfile.aside', 'depends_on: [base]'],
  }),
  // A file of its own: of equal instructions that run at the same time, Docker 20.10 tells one build only.
  'Dockerfile.base': 'FROM busybox:latest\nLABELLED\nRUN echo @base > /base\n',
  'Dockerfile.broken': [
    'FROM @base',
    '# a comment',
    'RUN echo "one line" && \\',
    '    printf "and \\033[31manother" && exit 3',
    'RUN true',
    '',
  ].join('\n'),
  'Dockerfile.aside': 'FROM busybox:latest\nLABELLED\nRUN echo aside > /aside\n',
};

/** What differs from run to run, and the columns that depend on it, replaced by placeholders. */
const told = (text: string): string =>
  text
    .replace(/ *\b\d+(\.\d+)?\s?(ms|s)\b/g, ' <time>')
    .replace(/session [0-9a-z]{12}/g, 'session <id>')
    .replace(/^(–.*?) +(?=not run)/gm, '$1 ');

const SUMMARY = `
✓  base <time>  not kept
✗  broken <time>  failed
–  after not run: broken failed
–  aside not run: broken failed

✗ broken failed: RUN echo "one line" &&     printf "and \\033[31manother" && exit 3 exited with 3
  instruction  RUN echo "one line" &&     printf "and \\033[31manother" && exit 3
  exit code    3
  last output
    │ one line
    │ and another

✗ build failed after <time>: 1 failed, 2 not run, 1 built (session <id>)
  No image got its name; earlier images keep theirs.
`;

describe.each(someSubjects('e20'))('on $name', ({ engine, builder }) => {
  const flags = ['--builder', builder, '-j', '1'];

  test.concurrent(
    'the summary tells step, instruction, exit code, last output and what was not run',
    async () => {
      const given = await project(engine, FILES);
      const ended = await habitus(engine, ['-d', given.directory, ...flags]);
      expect(ended.code).toBe(1);
      expect(told(ended.stderr)).toContain(SUMMARY);
      expect(ended.stdout).toBe('');
    },
  );

  test.concurrent('--keep-going builds what does not depend on the failure, and names nothing', async () => {
    const given = await project(engine, FILES);
    const ended = await habitus(engine, ['-d', given.directory, ...flags, '--keep-going', '--json']);
    expect(ended.code).toBe(1);
    const result = JSON.parse(ended.stdout) as { steps: { label: string; status: string }[] };
    expect(result.steps.map(({ label, status }) => `${label} ${status}`)).toEqual([
      'base succeeded',
      'broken failed',
      'after skipped',
      'aside succeeded',
    ]);
    expect(await given.images.names(`habitus.invalid/${given.id}/`)).toEqual({});
  });

  test.concurrent('the previous images keep their names', async () => {
    const given = await project(engine, {
      ...FILES,
      'Dockerfile.broken': 'FROM @base\nARG CODE=0\nRUN exit $CODE\n',
      'Dockerfile.aside': 'FROM busybox:latest\nLABELLED\nARG CODE=0\nRUN echo $CODE > /code\n',
    });
    const run = (code: string): Promise<{ readonly code: number | null }> =>
      habitus(engine, ['-d', given.directory, ...flags, '--build', `CODE=${code}`]);
    expect(await run('0')).toMatchObject({ code: 0 });
    const names = await given.images.names(`habitus.invalid/${given.id}/`);
    expect(Object.keys(names)).toEqual([given.name('after'), given.name('aside'), given.name('broken')]);
    expect(await run('9')).toMatchObject({ code: 1 });
    expect(await given.images.names(`habitus.invalid/${given.id}/`)).toEqual(names);
  });
});

/** Every example under examples/, built by the program as a user would, on every engine by each of its builders. */
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { atEnd } from '../support/build-cleanup.js';
import { snapshot, someSubjects, type Subject } from '../support/build-project.js';
import { habitus, type Ended } from '../support/build-program.js';
import { Images } from '../support/images.js';

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));

interface Built extends Ended {
  /** The text of a file in an image that the example names; `undefined` where there is none. */
  readonly text: (step: string, path: string) => Promise<string | undefined>;
  /** All names that the example gave, without prefix, suffix and tag. */
  readonly names: readonly string[];
}

interface Result {
  readonly session: string;
  readonly status: string;
}

/** Build an example under names of the test's own: `--uid` keeps tests apart that share an engine. */
async function example(
  { engine, builder }: Subject,
  name: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Built> {
  const images = new Images(engine);
  const uid = `${builder}${Math.random().toString(36).slice(2, 8)}`;
  const suffix = `-${uid}:latest`;
  const prefix = `habitus.invalid/${name}/`;
  const namesOf = async (): Promise<readonly string[]> =>
    Object.keys(await images.names('')).filter((each) => each.endsWith(suffix));
  atEnd(async () => {
    for (const each of await namesOf()) await images.remove(each);
  });
  const directory = join(EXAMPLES, name);
  const before = await snapshot(directory);
  const ended = await habitus(
    engine,
    ['-d', directory, '--builder', builder, '--uid', uid, '--json', ...args],
    { env },
  );
  expect(ended, ended.stderr).toMatchObject({ code: 0, leftInTmp: [] });
  expect(await snapshot(directory)).toEqual(before);
  const result = JSON.parse(ended.stdout) as Result;
  expect(result.status).toBe('succeeded');
  expect(await images.tracesOfSession(result.session)).toEqual({ containers: [], sessionNames: [] });
  return {
    ...ended,
    text: (step, path) => images.text(`${prefix}${step}${suffix}`, path),
    names: (await namesOf()).map((each) => each.replace(prefix, '').replace(suffix, '')),
  };
}

test('no example is without a test', async () => {
  expect((await readdir(EXAMPLES)).sort()).toEqual([
    'after-build-command',
    'build-args',
    'contexts',
    'env',
    'from-step',
    'iron-mountain',
    'multi-stage',
    'no-cache',
    'together',
  ]);
});

describe.each(someSubjects('e28'))('on $name', (subject) => {
  test.concurrent('after-build-command: the host command hears of the image', async () => {
    const { stderr } = await example(subject, 'after-build-command', ['--after-build-commands']);
    expect(stderr).toMatch(/step app made sha256:[0-9a-f]{64}/);
  });

  test.concurrent('after-build-command: without the flag no host command runs', async () => {
    const { stderr, names } = await example(subject, 'after-build-command');
    expect(stderr).not.toContain('step app made');
    expect(names).toEqual(['app']);
  });

  test.concurrent('build-args: a step wins over the command line', async () => {
    const { text } = await example(subject, 'build-args', ['--build', 'COLOUR=red', '--build', 'SHAPE=a=b']);
    expect(await text('base', '/args')).toBe('blue a=b\n');
    expect(await text('other', '/args')).toBe('red a=b\n');
  });

  test.concurrent('contexts: an artifact arrives in the folder of another context', async () => {
    const { text, names } = await example(subject, 'contexts');
    expect(await text('web', '/www/schema.json')).toBe('{"routes": "/boxes"}\n');
    expect(await text('web', '/www/index.html')).toBe('<!doctype html><title>Boxes</title>\n');
    expect(names).toEqual(['web']);
  });

  test.concurrent('env: variables come from the environment and from --env', async () => {
    const { text, stderr } = await example(subject, 'env', [], {
      GREETING: 'good day: #1',
      FLAVOUR: 'sweet',
    });
    expect(await text('sweet', '/greeting')).toBe('good day: #1\n');
    expect(stderr).toContain('good day: #1');
    const flagged = await example(subject, 'env', ['--env', 'GREETING=from a flag'], { FLAVOUR: 'sweet' });
    expect(await flagged.text('plain', '/greeting')).toBe('from a flag\n');
  });

  test.concurrent('from-step: FROM and COPY --from take the image of this very build', async () => {
    const { text, names } = await example(subject, 'from-step');
    expect(await text('app', '/copied')).toBe('from the base step\n');
    expect(names).toEqual(['app']);
  });

  test.concurrent('multi-stage: each step stops at its own stage', async () => {
    const { text, names } = await example(subject, 'multi-stage');
    expect(names).toEqual(['compile', 'ship']);
    expect(await text('compile', '/out/program')).toBe('compiled\n');
    expect(await text('ship', '/program')).toBe('compiled\n');
    expect(await text('ship', '/out/program')).toBeUndefined();
  });

  test.concurrent('no-cache: only the step that says so is built anew', async () => {
    const first = await example(subject, 'no-cache');
    const second = await example(subject, 'no-cache');
    expect(await second.text('cached', '/id')).toBe(await first.text('cached', '/id'));
    expect(await second.text('fresh', '/id')).not.toBe(await first.text('fresh', '/id'));
  });
});

/** What is not built again: steps of the same inputs, as long as their images are there; and what is said of the others. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BuildOptions } from '../../src/index.js';
import { Gates } from '../support/build-gates.js';
import { built, type Built } from '../support/build-library.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { ownCache } from '../support/own-cache.js';
import { project, someSubjects, type Project } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';
import { EngineApi } from '../support/squash-api.js';
import { squashYml } from '../support/squash-project.js';

ownCache();

/** Label → status, and what was said of it. */
function told({ result, events }: Built): readonly string[] {
  return result.steps.map(({ label, status }) => {
    const why = events.flatMap((event) =>
      event.type === 'notice' && event.step === label && event.level === 'info' ? [event.message] : [],
    );
    return `${label} ${status}: ${why.join('; ')}`;
  });
}

describe.each(someSubjects('e28'))('on $name', (subject) => {
  const scene = async (): Promise<{
    given: Project;
    run: (options?: BuildOptions) => Promise<Built>;
    edit: (file: string, text: string) => Promise<void>;
  }> => {
    const given = await project(subject.engine, {
      'build.yml': squashYml({
        maker: ['dockerfile: maker.df', 'artifacts: [/made]'],
        taker: ['dockerfile: taker.df', 'depends_on: [maker]', 'command: echo tried'],
        other: ['dockerfile: other.df'],
      }),
      'maker.df': 'FROM busybox:latest\nLABELLED\nARG WHAT=1\nCOPY source /made\n',
      'taker.df': 'FROM busybox:latest\nLABELLED\nCOPY made /made\n',
      'other.df': 'FROM busybox:latest\nLABELLED\nRUN echo other > /other\n',
      source: 'one',
    });
    return {
      given,
      run: (options) => built(subject, given, { fingerprint: true, explain: true, ...options }),
      edit: (file, text) => writeFile(join(given.directory, file), text),
    };
  };

  test('where nothing is to be done the engine is asked few questions: for names in one list, or for each where it has many images', async () => {
    const labels = Array.from({ length: 12 }, (_, index) => `s${index}`);
    const given = await project(subject.engine, {
      'build.yml': squashYml(Object.fromEntries(labels.map((label) => [label, [`dockerfile: ${label}.df`]]))),
      ...Object.fromEntries(
        labels.map((label) => [`${label}.df`, `FROM busybox:latest\nLABELLED\nRUN echo ${label} > /which\n`]),
      ),
    });
    await built(subject, given, { fingerprint: true });
    const proxy = await FaultProxy.start(subject.engine);
    const { result } = await built({ ...subject, engine: proxy.engine }, given, { fingerprint: true });
    expect(result.steps.map(({ status, names }) => [status, names])).toEqual(
      labels.map((label) => ['unchanged', [given.name(label)]]),
    );
    const expected = (lists: number, looks: number): readonly string[] => [
      'GET /_ping',
      'GET /containers/json',
      ...Array<string>(lists).fill('GET /images/json'),
      ...Array<string>(looks).fill('GET /images/{id}/json'),
      'GET /info',
      // 20.10 does not say by itself whether it has BuildKit.
      ...(subject.engine.name === 'e20' ? ['POST /session'] : []),
    ];
    // One list is that of dead sessions' names, one look that at the base image.
    expect([expected(2, 1), expected(1, 1 + labels.length)]).toContainEqual(
      proxy.calls.map(({ method, shape }) => `${method} ${shape}`).sort(),
    );
  });

  test('a name that was taken meanwhile is given back by a build of which nothing has changed', async () => {
    const { given, run } = await scene();
    await run();
    const images = await given.images.names(`habitus.invalid/${given.id}`);
    const api = new EngineApi(subject.engine.host);
    await api.bytes('POST', `/images/busybox:latest/tag?repo=${given.name('other')}`);
    expect(told(await run())).toContain('other unchanged: unchanged');
    expect(await given.images.names(`habitus.invalid/${given.id}`)).toEqual(images);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test('an unchanged build builds nothing, keeps the names, and runs the commands', async () => {
    const { given, run } = await scene();
    const first = await run();
    expect(told(first)).toEqual([
      'maker succeeded: built: never built here',
      'taker succeeded: built: never built here',
      'other succeeded: built: never built here',
    ]);
    const names = await given.images.names(`habitus.invalid/${given.id}`);
    const second = await run();
    expect(told(second)).toEqual([
      'maker unchanged: unchanged',
      'taker unchanged: unchanged',
      'other unchanged: unchanged',
    ]);
    expect(second.events.filter(({ type }) => type === 'instruction')).toEqual([]);
    expect(second.output).toEqual(['tried']);
    expect(await given.images.names(`habitus.invalid/${given.id}`)).toEqual(names);
    expect(second.result.steps.map(({ imageId }) => imageId)).toEqual(
      first.result.steps.map(({ imageId }) => imageId),
    );
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test('a changed file builds its step and those after it, and nothing else', async () => {
    const { given, run, edit } = await scene();
    await run();
    await edit('source', 'two');
    const second = await run();
    const [maker, taker, other] = told(second);
    expect(maker).toBe('maker succeeded: built: source changed');
    expect(taker).toMatch(/^taker succeeded: built: .*step maker is built anew/);
    // It has the same folder for its context, but takes nothing of it.
    expect(other).toBe('other unchanged: unchanged');
    expect(await given.images.text(given.name('taker'), '/made')).toBe('two');
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });

  test('what changes after the context was read does not make the build be forgotten', async () => {
    const gates = await Gates.start();
    const given = await project(subject.engine, {
      'build.yml': squashYml({ app: [] }),
      Dockerfile: `FROM busybox:latest\nLABELLED\nCOPY source /made\nRUN ${gates.wait('change')}\n`,
      source: 'one',
    });
    const run = (): Promise<Built> => built(subject, given, { fingerprint: true, explain: true });
    const edit = (text: string): Promise<void> => writeFile(join(given.directory, 'source'), text);
    const first = run();
    await gates.at('change').reached;
    await edit('two');
    gates.at('change').open();
    await first;
    // Of a build that is forgotten nobody knows what has changed since.
    expect(told(await run())).toEqual(['app succeeded: built: source changed']);
    expect(await given.images.text(given.name('app'), '/made')).toBe('two');
    expect(told(await run())).toEqual(['app unchanged: unchanged']);
  });

  test('an image that is gone is built again, with what it needs', async () => {
    const { given, run } = await scene();
    await run();
    await new EngineApi(subject.engine.host).remove(given.name('taker'));
    expect(told(await run())).toEqual([
      'maker succeeded: built: its image is gone from the engine',
      'taker succeeded: built: its image is gone from the engine',
      'other unchanged: unchanged',
    ]);
    expect(await given.images.text(given.name('taker'), '/made')).toBe('one');
  });

  test('an image that is made again for one step makes nothing of the others, now or in the next build', async () => {
    const given = await project(subject.engine, {
      'build.yml': squashYml({
        maker: ['dockerfile: maker.df', 'artifacts: [/made]'],
        one: ['dockerfile: one.df', 'depends_on: [maker]'],
        two: ['dockerfile: two.df', 'depends_on: [maker]', 'command: echo tried', 'command_cache: true'],
      }),
      // What the classic builder makes of RUN again is another image.
      'maker.df': 'FROM busybox:latest\nLABELLED\nRUN echo made > /made\n',
      'one.df': 'FROM busybox:latest\nLABELLED\nCOPY made /made\n',
      'two.df': 'FROM busybox:latest\nLABELLED\nCOPY made /other\n',
    });
    const run = async (): Promise<readonly unknown[]> => {
      const { result, output } = await built(subject, given, { fingerprint: true });
      return [...result.steps.map(({ status }) => status), output.filter((line) => line === 'tried').length];
    };
    expect(await run()).toEqual(['succeeded', 'succeeded', 'succeeded', 1]);
    const text = `FROM busybox:latest\nLABEL habitus.test=${given.id}\nCOPY made /new\n`;
    await writeFile(join(given.directory, 'one.df'), text);
    // Both take from the folder in which it lies.
    await writeFile(join(given.directory, '.dockerignore'), '*\n');
    expect((await run()).at(-1)).toBe(1);
    await writeFile(join(given.directory, 'one.df'), `${text}ENV A=1\n`);
    expect(await run()).toEqual(['succeeded', 'succeeded', 'unchanged', 0]);
    expect(await run()).toEqual(['unchanged', 'unchanged', 'unchanged', 0]);
  });

  test('build args, Dockerfiles and --no-cache count, and going back finds what was built', async () => {
    const { run, edit, given } = await scene();
    await run();
    expect(told(await run({ buildArgs: { WHAT: '2' } }))[0]).toBe(
      'maker succeeded: built: build arg WHAT is new',
    );
    expect(told(await run({ noCache: true })).map((line) => line.split(':')[0])).toEqual([
      'maker succeeded',
      'taker succeeded',
      'other succeeded',
    ]);
    await edit('other.df', `FROM busybox:latest\nLABEL habitus.test=${given.id}\nRUN echo new > /other\n`);
    expect(told(await run())[2]).toMatch(/^other succeeded: built: its Dockerfile changed/);
  });

  test('with command_cache a command runs once for an image, and again for what could make it end otherwise', async () => {
    const file = (command: string): string =>
      squashYml({ app: ['dockerfile: app.df', `command: ${command}`, 'command_cache: true'] });
    const given = await project(subject.engine, {
      'build.yml': file('echo tried'),
      'app.df': 'FROM busybox:latest\nLABELLED\nARG WHAT=1\nRUN echo $WHAT > /made\n',
    });
    const run = async (
      options?: BuildOptions,
    ): Promise<readonly [told: string | undefined, output: unknown]> => {
      const done = await built(subject, given, { fingerprint: true, explain: true, ...options });
      const output = done.output.filter((line) => /tried|failed/.test(line));
      return [told(done)[0], output];
    };
    const command = async (text: string): Promise<void> => {
      await writeFile(
        join(given.directory, 'build.yml'),
        file(text).replaceAll('@', `habitus.invalid/${given.id}/`),
      );
    };
    const LEFT_OUT = ['app unchanged: unchanged, and its command left out', []];
    const RUNS = 'app unchanged: unchanged, but its command has not yet succeeded in this image';

    expect(await run()).toEqual(['app succeeded: built: never built here', ['tried']]);
    expect(await run()).toEqual(LEFT_OUT);
    await command('echo tried anew');
    expect(await run()).toEqual([RUNS, ['tried anew']]);
    expect(await run()).toEqual(LEFT_OUT);
    await command('echo failed; exit 3');
    await expect(run()).rejects.toThrow('exited with 3');
    await expect(run()).rejects.toThrow('exited with 3');
    await command('echo tried anew');
    expect(await run()).toEqual(LEFT_OUT);
    expect(await run({ buildArgs: { WHAT: '2' } })).toEqual([
      'app succeeded: built: build arg WHAT is new',
      ['tried anew'],
    ]);
    const limits = { memory: 64 * 1024 * 1024 };
    expect(await run({ limits })).toEqual([
      'app succeeded: built: the limits of RUN changed, build arg WHAT is no longer there',
      ['tried anew'],
    ]);
    expect(await run({ limits })).toEqual(LEFT_OUT);
    expect((await run({ fingerprint: false }))[1]).toEqual(['tried anew']);
    expect((await run({ noCache: true }))[1]).toEqual(['tried anew']);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
  });
});

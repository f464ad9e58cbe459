/** `--pull`: base images come anew from a registry, once a build, and what is built on them follows. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StepError, type BuildOptions } from '../../src/index.js';
import { built, type Built } from '../support/build-library.js';
import { buildYml, project, someSubjects, type Project } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';
import { ownCache } from '../support/own-cache.js';
import { Registry } from '../support/registry.js';

ownCache();
let registry: Registry;
beforeAll(async () => {
  registry = await Registry.open();
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
});

/** What was said of a step, or of pulls. */
const notices = ({ events }: Built, step?: string): readonly string[] =>
  events.flatMap((event) =>
    event.type === 'notice' && event.step === step && /^(?:pulled|built)/.test(event.message)
      ? [event.message]
      : [],
  );

describe.each(someSubjects('e28'))('on $name', (subject) => {
  /** A name of the registry that no other test uses. */
  const folder = (): string =>
    `${registry.host}/${subject.name.replace(' ', '-')}-${randomBytes(4).toString('hex')}`;
  const run = (given: Project, options?: BuildOptions): Promise<Built> =>
    built(subject, given, { fingerprint: true, explain: true, ...options });
  const statuses = ({ result }: Built): readonly string[] => result.steps.map(({ status }) => status);

  test('what has changed in the registry is built on, what has not is left out', async () => {
    const base = folder();
    const given = await project(subject.engine, {
      'build.yml': buildYml({
        app: ['dockerfile: app.df'],
        again: ['dockerfile: again.df'],
        next: ['dockerfile: next.df'],
      }),
      'app.df': `FROM ${base}/base\nLABELLED\nCOPY --from=${base}/other:v1 /file /other\n`,
      'again.df': `FROM ${base}/base\nLABELLED\nLABEL again=1\n`,
      'next.df': 'FROM @app\nLABEL next=1\n',
    });
    const put = (text: string): void => {
      registry.put(`${base}/base:latest`, given.id, { file: `base ${text}` });
      registry.put(`${base}/other:v1`, given.id, { file: `other ${text}` });
    };

    put('one');
    expect(notices(await run(given, { pull: true })).toSorted()).toEqual([
      `pulled ${base}/base`,
      `pulled ${base}/other:v1`,
    ]);
    expect(await given.images.text(given.name('next'), '/file')).toBe('base one');
    // Neither for the second step that names it, nor by the builder again; only BuildKit with this store asks by itself.
    if (subject.name !== 'e28c buildkit') {
      expect(registry.asked.filter((name) => name.startsWith(base)).toSorted()).toEqual([
        `${base}/base:latest`,
        `${base}/other:v1`,
      ]);
    }

    const same = await run(given, { pull: true });
    expect(statuses(same)).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(notices(same).toSorted()).toEqual([
      `pulled ${base}/base, which has not changed`,
      `pulled ${base}/other:v1, which has not changed`,
    ]);

    put('two');
    expect(statuses(await run(given))).toEqual(['unchanged', 'unchanged', 'unchanged']);
    const changed = await run(given, { pull: true });
    expect(notices(changed).toSorted()).toEqual([
      `pulled ${base}/base, which has changed`,
      `pulled ${base}/other:v1, which has changed`,
    ]);
    expect(notices(changed, 'again')).toEqual([`built: base image ${base}/base changed`]);
    expect(await given.images.text(given.name('next'), '/file')).toBe('base two');
    expect(await given.images.text(given.name('next'), '/other')).toBe('other two');
  });

  test('an image by digest is pulled only where it is missing', async () => {
    const base = folder();
    const given = await project(subject.engine, { 'build.yml': buildYml({ app: [] }) });
    const pinned = registry.put(`${base}/base:latest`, given.id, { file: 'one' });
    await writeFile(join(given.directory, 'Dockerfile'), `FROM ${pinned}\nLABEL habitus.test=${given.id}\n`);
    expect(notices(await run(given, { pull: true }))).toEqual([`pulled ${pinned}`]);
    expect(notices(await run(given, { pull: true }))).toEqual([]);
    expect(await given.images.text(given.name('app'), '/file')).toBe('one');
  });

  test('an image that no registry gives is an error that says where it is named, and nothing is built', async () => {
    const base = folder();
    const given = await project(subject.engine, {
      'build.yml': buildYml({ app: ['dockerfile: app.df'] }),
      'app.df': `FROM busybox:latest AS tools\n\nFROM ${base}/base\nLABELLED\n`,
    });
    const failure: unknown = await run(given, { pull: true }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StepError);
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
    // Busybox of the tests is of no registry either, and may be first.
    expect((failure as StepError).message).toMatch(
      /^(?:\S+\/base, in line 3|busybox:latest, in line 1) of app\.df, could not be pulled: ./,
    );
    expect((failure as StepError).hint).toContain('docker login');
  });
});

/** What cleanup removes is nowhere afterwards: in no blob, no history, no image, no cache of the builder, and not on disk. */
import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { built, type Built } from '../support/build-library.js';
import { project, subjects, type Project, type Subject } from '../support/build-project.js';
import { NOTHING } from '../support/images.js';
import { EngineApi } from '../support/squash-api.js';
import { cleanup, squashYml } from '../support/squash-project.js';
import { keptOnDisk } from '../support/squash-search.js';
import { scan } from '../support/tar.js';

/** Stages before the one that is built on, where a way needs some. */
function stagesBefore(name: string, keys: string): readonly string[] {
  if (name !== 'staged') return [];
  return [
    'FROM busybox:latest AS first',
    `WORKDIR ${keys}`,
    'COPY staged .',
    'FROM busybox:latest',
    `RUN --mount=type=bind,from=first,source=${keys},target=/in mkdir ${keys} && cp /in/staged ${keys}`,
    'FROM busybox:latest AS unused',
    `RUN echo unused of ${keys.replace('/keys', '')} > /unused`,
  ];
}

/** Each way a file comes into an image: the instructions that bring `KEYS/NAME` there, from NAME in the context. */
function ways({ engine, builder }: Subject, keys: string): Readonly<Record<string, readonly string[]>> {
  const buildkit = builder === 'buildkit';
  // Docker 20's own frontend does not know heredocs.
  const heredocs = buildkit && engine.name !== 'e20';
  const anywhere = {
    copied: [`COPY copied ${keys}/`],
    covered: [`COPY covered ${keys}/covered`, `RUN cp ${keys}/covered /copy && rm ${keys}/covered /copy`],
  };
  // The classic builder keeps images, whatever their instructions were; BuildKit tells each kind its own way.
  if (!buildkit) return anywhere;
  return {
    ...anywhere,
    owned: [`COPY --chown=1:2   owned ${keys}/`],
    // By two other stages, of which one has no name.
    staged: ['COPY --from=unused /unused /', `COPY --from=1 ${keys} ${keys}`],
    added: [`ADD ["added", "${keys}/added"]`],
    mounted: [
      'RUN --mount=type=bind,target=/in mkdir /tmp/in && \\',
      '    # why',
      `    mkdir ${keys} &&   cp /in/mounted ${keys}/ \\`,
      '  && true',
    ],
    ...(heredocs && {
      script: ['COPY script /tmp/', 'RUN <<END', `mkdir ${keys}`, `mv /tmp/script ${keys}`, 'END'],
    }),
  };
}

interface Scene {
  readonly given: Project;
  readonly api: EngineApi;
  /** NAME → its secret bytes. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The folder that the secrets come to; no other test has one of this name. */
  readonly keys: string;
  /** The command of a layer below each secret. */
  readonly unrelated: string;
}

async function scene(subject: Subject): Promise<Scene> {
  const random = (): string => randomBytes(12).toString('hex');
  const [keys, unrelated] = [`/keys-${random()}`, `echo ${random()} > /unrelated`];
  const all = Object.entries(ways(subject, keys));
  const secrets: Scene['secrets'] = Object.fromEntries(all.map(([name]) => [name, `${name}-${random()}`]));
  const steps = all.map(
    ([name]) => [name, [`dockerfile: ${name}.df`, ...cleanup([`rm -rf ${keys}`])]] as const,
  );
  const dockerfiles: Scene['secrets'] = Object.fromEntries(
    all.map(([name, lines]) => [
      `${name}.df`,
      [
        ...stagesBefore(name, keys),
        'FROM busybox:latest',
        'LABELLED',
        `RUN ${unrelated}`,
        ...lines,
        `RUN echo after ${name} > /after`,
        '',
      ].join('\n'),
    ]),
  );
  const given = await project(subject.engine, {
    'build.yml': squashYml(Object.fromEntries(steps)),
    ...dockerfiles,
    ...secrets,
  });
  return { given, api: new EngineApi(subject.engine.host), secrets, keys, unrelated };
}

/** All bytes that `docker save` gives of these images, unpacked. */
async function savedBytes(api: EngineApi, images: readonly string[]): Promise<Buffer> {
  const files = scan(await api.save(...images)).map(({ content }) => content);
  return Buffer.concat(files.map((file) => (file[0] === 0x1f && file[1] === 0x8b ? gunzipSync(file) : file)));
}

function notices({ events }: Built): string[] {
  return events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
}

describe.each(subjects())('on $name', (subject) => {
  test('a removed secret is in no image and no cache, and nowhere on the disk of the engine', async () => {
    const { given, api, secrets, keys, unrelated } = await scene(subject);
    const since = Date.now() - 1000;
    const imagesBefore = await api.imageIds();
    const told = await built(subject, given, { jobs: 1 });
    expect(notices(told)).toEqual([]);

    const names = Object.keys(secrets).map(given.name);
    const bytes = await savedBytes(api, names);
    for (const secret of [...Object.values(secrets), keys]) expect(bytes.includes(secret)).toBe(false);
    const newImages = [...(await api.imageIds())].filter((id) => !imagesBefore.has(id));
    for (const image of [...names, ...newImages]) {
      // Other tests remove theirs meanwhile.
      const history = await api.history(image).catch(() => []);
      expect(JSON.stringify(history)).not.toContain(keys);
    }
    expect(await given.images.traces(given.id)).toEqual(NOTHING);
    if (subject.builder === 'buildkit') {
      const records = (await api.buildCache()).map(({ Description }) => Description);
      expect(records.filter((text) => text.includes(keys))).toEqual([]);
      for (const kept of [unrelated, `echo unused of ${keys.replace('/keys', '')}`])
        expect(records.filter((text) => text.includes(kept))).not.toEqual([]);
    }
    // The containerd store collects its garbage a little later.
    const clean = Object.fromEntries(Object.values(secrets).map((secret) => [secret, []]));
    await expect
      .poll(() => keptOnDisk(subject.engine, Object.values(secrets), since), {
        timeout: 120_000,
        interval: 1000,
      })
      .toEqual(clean);
  });
});

describe.each(subjects())('on $name', (subject) => {
  test('what an engine never frees is said: equal layers that were saved', async () => {
    const given = await project(subject.engine, {
      'build.yml': squashYml({ app: cleanup(['rm /key']) }),
      Dockerfile: `FROM busybox:latest\nLABELLED\nCOPY key /\nRUN rm /key\nCOPY key /\n`,
      key: randomBytes(12).toString('hex'),
    });
    const stuck = /^this version of Docker keeps what was removed on its disk/;
    const said = notices(await built(subject, given)).filter((message) => stuck.test(message));
    expect(said).toHaveLength(subject.engine.name === 'e28' ? 1 : 0);
  });
});

describe.each(subjects().filter(({ builder }) => builder === 'buildkit'))('on $name', (subject) => {
  test('--keep-build-cache leaves the cache, says so, and the next build uses it', async () => {
    const secret = randomBytes(20).toString('hex');
    const given = await project(subject.engine, {
      'build.yml': squashYml({ app: cleanup(['rm /key']) }),
      Dockerfile: `FROM busybox:latest\nLABELLED\nRUN echo ${secret} > /key\n`,
    });
    const api = new EngineApi(subject.engine.host);
    const cached = async (): Promise<number> =>
      (await api.buildCache()).filter(({ Description }) => Description.includes(secret)).length;
    const first = await built(subject, given, { keepBuildCache: true });
    expect(notices(first)).toEqual([
      'the build cache still holds what was removed, as --keep-build-cache asks',
    ]);
    expect(await cached()).toBe(1);
    const second = await built(subject, given);
    const runs = second.events.flatMap((event) =>
      event.type === 'instruction' &&
      event.instruction.state === 'finished' &&
      /RUN/.test(event.instruction.text)
        ? [event.instruction.cached]
        : [],
    );
    expect(runs).toEqual([true]);
    expect(notices(second)).toEqual([]);
    expect(await cached()).toBe(0);
  });
});

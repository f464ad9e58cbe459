/** What becomes one layer, what stays shared, and that the result does not depend on when it was made. */
import { beforeAll, describe, expect, test } from 'vitest';
import { validateImageArchive } from '../../src/image/validate.js';
import { built, type Built } from '../support/build-library.js';
import { project, someSubjects, type Project } from '../support/build-project.js';
import { EngineApi } from '../support/squash-api.js';
import { difference, listingOf } from '../support/squash-listing.js';
import { cleanup, squashYml } from '../support/squash-project.js';
import { countingProxy } from '../support/squash-proxy.js';
import { NEVER } from '../support/tar.js';

const STEPS = ['plain', 'whole', 'flat', 'stay', 'child'] as const;

/** Else what one step removes is built anew by the next, and is another image. */
const KEEPING = { jobs: 1, keepBuildCache: true } as const;

describe.each(someSubjects('e20'))('on $name', (subject) => {
  const api = new EngineApi(subject.engine.host);
  let given: Project;
  let first: Built;
  let sent: number;
  let base: readonly string[];

  beforeAll(async () => {
    const same = ['dockerfile: Dockerfile', 'depends_on: [plain]'];
    given = await project(subject.engine, {
      'build.yml': squashYml({
        plain: [],
        whole: [...same, 'squash: true', 'keep: true'],
        flat: [...same, 'squash: { from: scratch }'],
        stay: [...same, 'squash: false', ...cleanup(['rm /key'])],
        child: ['dockerfile: Dockerfile.child', 'squash: { from: base }'],
      }),
      Dockerfile: [
        'FROM busybox:latest',
        'LABELLED',
        'RUN echo secret > /key && mkdir /d && touch /d/old && ln /key /d/link',
        // Long ago: what a step that comes within the same second does to the folder has to show.
        "RUN rm -r /d && mkdir /d && touch /d/new && touch -d '2020-01-01 00:00:00' /d && rm /bin/vi",
        'ENV KIND=made',
        '',
      ].join('\n'),
      'Dockerfile.child': 'FROM @whole\nRUN rm /d/new && echo child > /child\nRUN echo 2 >> /child\n',
    });
    const proxy = await countingProxy(subject.engine);
    first = await built({ ...subject, engine: proxy.engine }, given, KEEPING);
    sent = proxy.sent;
    base = await api.layersOf('busybox:latest');
  });

  const layers = (step: (typeof STEPS)[number]): Promise<readonly string[]> => api.layersOf(given.name(step));
  const listing = async (step: (typeof STEPS)[number]): Promise<ReturnType<typeof listingOf>> =>
    listingOf(await api.export(given.name(step)));

  test('all above the base is one layer, the layers of the base are shared, and the files are the same', async () => {
    expect((await layers('plain')).slice(0, base.length)).toEqual(base);
    const whole = await layers('whole');
    expect(whole.slice(0, -1)).toEqual(base);
    expect(whole).toHaveLength(base.length + 1);
    expect(difference(await listing('plain'), await listing('whole'))).toEqual([]);
  });

  test('from scratch everything is one layer, and the files are the same', async () => {
    expect(await layers('flat')).toHaveLength(1);
    expect(difference(await listing('plain'), await listing('flat'))).toEqual([]);
  });

  test('without squash, what cleanup did is a layer on those of the build', async () => {
    const stay = await layers('stay');
    expect(stay.slice(0, -1)).toEqual(await layers('plain'));
    const [before, after] = [await listing('plain'), await listing('stay')];
    expect([...before.keys()].filter((path) => !after.has(path))).toEqual(['key']);
    const notices = first.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
    expect(notices.filter((message) => /squash: false|layers below/.test(message))).not.toEqual([]);
  });

  test("a squashed step's image is the base of the next, which is squashed onto it", async () => {
    expect((await layers('child')).slice(0, -1)).toEqual(await layers('whole'));
    const changed = difference(await listing('whole'), await listing('child'));
    expect(changed.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      '+ child',
      '- d',
      '+ d',
      '- d/new',
    ]);
  });

  test('the images are sound', async () => {
    for (const step of STEPS) {
      const { problems } = await validateImageArchive(await api.saveStream(given.name(step)), NEVER);
      expect(problems).toEqual([]);
    }
  });

  test('only the new layers are sent to the engine: the flat image, not the base of the others', () => {
    const [flat] = first.events.flatMap((event) =>
      event.type === 'squashed' && event.step === 'flat' ? [event.bytesAfter] : [],
    );
    expect(flat).toBeGreaterThan(1 << 19);
    expect(sent - (flat ?? 0)).toBeLessThan((flat ?? 0) / 2);
  });

  test('the same layers give the same image IDs again', async () => {
    // Cleanup leaves its time; the classic builder's cache of `child` went with its layers, so it is another image.
    const child = subject.name === 'e20 buildkit' || subject.name === 'e28 buildkit' ? ['child'] : [];
    const same = ['plain', 'whole', 'flat', ...child];
    const second = await built(subject, given, KEEPING);
    const ids = ({ result }: Built): unknown =>
      result.steps.filter(({ label }) => same.includes(label)).map(({ label, imageId }) => [label, imageId]);
    expect(ids(second)).toEqual(ids(first));
  });
});

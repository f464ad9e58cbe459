/** Images as people make them: packages, owners, setuid and capable programs, hard links; squash changes none of it. */
import { describe, expect, test } from 'vitest';
import { built } from '../support/build-library.js';
import { project, someSubjects } from '../support/build-project.js';
import { EngineApi } from '../support/squash-api.js';
import { difference, listingOf, type Listing } from '../support/squash-listing.js';
import { cleanup, squashYml } from '../support/squash-project.js';

const DOCKERFILE = [
  'FROM debian:bookworm-slim',
  'LABELLED',
  'RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin',
  'RUN mkdir /tools && cp /bin/true /tools/capable && cp /bin/ls /tools/suid && cp /bin/ls /tools/both \\',
  '  && setcap cap_net_bind_service,cap_net_raw+ep /tools/capable && chmod 4755 /tools/suid && chmod 2755 /tools/both',
  'RUN mkdir -p /many/a /many/b /many/c && cd /many && seq 100 | while read i; do \\',
  '    echo "content $i" > a/$i && ln a/$i b/$i && ln a/$i c/z$i; done && ln /tools/capable /many/capable',
  // The containerd store takes hard links apart that a later layer touches: before squash, too.
  'RUN mkdir /links && echo linked > /links/x && ln /links/x /links/y && ln /links/x /links/z',
  // Each of these is a copy into a new layer of what was in the one below.
  'RUN chown -R 1000:2000 /many/b /var/lib/dpkg/info && chmod -R o-r /etc/security',
  'RUN rm -r /many/a && rm -r /etc/cron.daily /etc/apt/preferences.d && ln /many/b/7 /many/seven && touch -d 2001-02-03 /many/c/z9',
  'RUN echo secret > /root/key && setcap -r /many/capable && setcap cap_chown+ep /many/capable',
  '',
].join('\n');

const REMOVED = /^(?:root\/key|var\/lib\/apt\/lists\/.*|var\/cache\/apt\/.*\.bin|many\/c\/z\d+)$/;

/** Packages cost time: each engine with one builder. Steps come from the cache, or times of files would differ. */
describe.each(someSubjects('e28'))('on $name', (subject) => {
  test('Debian with packages, owners, capabilities and many hard links is the same before and after squash and cleanup', async () => {
    const given = await project(subject.engine, {
      'build.yml': squashYml({
        plain: [],
        // Removes nothing that others build from again.
        whole: ['dockerfile: Dockerfile', 'depends_on: [plain]', 'squash: true'],
        clean: [
          'dockerfile: Dockerfile',
          'depends_on: [plain]',
          ...cleanup([
            'rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin ~/key',
            ['rm', '-r', '/many/c'],
            'mkdir -p /many/c && touch -d 2001-02-03 /many/c /many /root /var/lib/apt/lists /var/cache/apt',
          ]),
        ],
      }),
      Dockerfile: DOCKERFILE,
    });
    await built(subject, given, { jobs: 1, keepBuildCache: true });
    const api = new EngineApi(subject.engine.host);
    const listing = async (step: string): Promise<Listing> => listingOf(await api.export(given.name(step)));
    const plain = await listing('plain');
    expect(plain.get('tools/capable')).toMatch(/ security\.capability=01000002/);
    expect(plain.get('tools/suid')).toMatch(/^0 4755 0:0 /);
    expect(plain.get('links/z')).toMatch(/ group of links\/x$/);
    expect(difference(plain, await listing('whole'))).toEqual([]);

    const clean = await listing('clean');
    const gone = [...plain.keys()].filter((path) => !clean.has(path));
    expect(gone.filter((path) => !REMOVED.test(path))).toEqual([]);
    expect(gone.length).toBeGreaterThan(100);
    const changed = difference(plain, clean).filter((line) => !gone.includes(line.split(' ')[1] ?? ''));
    expect(new Set(changed.map((line) => line.split(' ')[1]))).toEqual(
      new Set(['many', 'many/c', 'root', 'var/cache/apt', 'var/lib/apt/lists']),
    );
  });
});

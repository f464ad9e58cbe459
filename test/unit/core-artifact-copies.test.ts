import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { copiesFromImages } from '../../src/core/artifact-copies.js';
import { redirect } from '../../src/dockerfile/rewrite.js';
import { spoolArtifact, type Artifact } from '../../src/tar/artifact.js';
import { encode, folder, member, NEVER, streamOf, type Member } from '../support/tar.js';
import { plant, temporaryFolder } from '../support/tar-tree.js';

const work = temporaryFolder();
const spooled: Artifact[] = [];

afterEach(async () => {
  for (const artifact of spooled.splice(0)) await artifact[Symbol.asyncDispose]();
});

type Taken = readonly [image: string, source: string, destination: string, members: readonly Member[]];

const BIN: Taken = ['one', '/out/bin', '', [member({ path: 'bin' }, 'x')]];
const inStep = (image: string, [, ...rest]: Taken): Taken => [image, ...rest];
const APP: Taken = [
  'one',
  '/opt/app',
  'lib',
  [
    folder('app'),
    folder('app/empty'),
    folder('app/conf'),
    member({ path: 'app/conf/a' }, 'x'),
    member({ path: 'app/conf/b', type: 'hardlink', linkname: 'app/conf/a' }),
    member({ path: 'app/link', type: 'symlink', linkname: 'conf' }),
  ],
];

/** The instruction as it is built in a context where these artifacts lie. */
async function copied(
  instruction: string,
  taken: readonly Taken[],
  options: { folder?: string; ignore?: string } = {},
): Promise<string> {
  const producers = new Map<string, Artifact[]>();
  for (const [image, source, destination, members] of taken) {
    const artifact = await spoolArtifact(streamOf(encode(members)), { source, destination }, NEVER);
    spooled.push(artifact);
    producers.set(image, [...(producers.get(image) ?? []), artifact]);
  }
  const content = Buffer.from(`FROM x\n${instruction}\n`);
  const context = join(work.path, options.folder ?? '.');
  const { ignore } = options;
  const copies = await copiesFromImages(
    { context, dockerfile: { path: '', content, references: [], ...(ignore !== undefined && { ignore }) } },
    work.path,
    [...producers].map(([image, artifacts]) => ({ image, artifacts })),
    NEVER,
  );
  const built = redirect(
    content,
    copies.flatMap(({ replacements }) => replacements),
  );
  return built.toString().slice('FROM x\n'.length, -1);
}

describe('COPY of artifacts of one step', () => {
  it.each([
    ['COPY bin /b', 'COPY --from=one /out/bin /b'],
    ['COPY lib/app/ /b', 'COPY --from=one /opt/app /b'],
    [
      'COPY lib/app/conf lib/app/conf/b bin /b/',
      'COPY --from=one /opt/app/conf /opt/app/conf/b /out/bin /b/',
    ],
  ])('makes %j %j', async (before, after) => {
    expect(await copied(before, [BIN, APP])).toBe(after);
  });

  it('finds them from a context below and above the work directory', async () => {
    expect(await copied('COPY app/conf /b', [APP], { folder: 'lib' })).toBe(
      'COPY --from=one /opt/app/conf /b',
    );
    expect(await copied('COPY conf /b', [APP], { folder: 'lib/app' })).toBe(
      'COPY --from=one /opt/app/conf /b',
    );
    const name = work.path.slice(work.path.lastIndexOf('/') + 1);
    expect(await copied(`COPY ${name}/bin /b`, [BIN], { folder: '..' })).toBe('COPY --from=one /out/bin /b');
  });

  it('finds those below a whole image', async () => {
    const whole: Taken = ['one', '/', 'all', [folder(''), folder('usr'), member({ path: 'usr/x' }, 'x')]];
    expect(await copied('COPY all/usr /b', [whole])).toBe('COPY --from=one /usr /b');
  });

  it('does not mind local files that are ignored, or that artifacts replace', async () => {
    await plant(work.path, ['bin=mine', 'lib/app/conf/a=mine', 'lib/app/.gone/x=mine']);
    const after = 'COPY --from=one /opt/app /out/bin /b/';
    expect(await copied('COPY lib/app bin /b/', [BIN, APP], { ignore: '**/.gone' })).toBe(after);
    expect(await copied('COPY lib/app bin /b/', [BIN, APP], { ignore: '*' })).toBe(after);
  });
});

describe('COPY that stays as it is', () => {
  it.each([
    ['a folder above artifacts', 'COPY lib /b', [APP]],
    ['a local file beside an artifact', 'COPY bin local /b/', [BIN]],
    ['a symlink', 'COPY lib/app/link /b', [APP]],
    ['an empty folder', 'COPY lib/app/empty /b', [APP]],
    ['what no artifact holds', 'COPY lib/app/none /b', [APP]],
    ['artifacts of two steps', 'COPY bin lib/app /b/', [inStep('two', BIN), APP]],
    ['no artifacts at all', 'COPY bin /b', []],
  ] as const)('%s', async (_, instruction, taken) => {
    expect(await copied(instruction, taken)).toBe(instruction);
  });

  it.each(['lib/app/mine=x', 'lib/app/conf/mine=x'])(
    'a folder that has %s in the context folder too',
    async (file) => {
      await plant(work.path, [file]);
      expect(await copied('COPY lib/app /b', [APP])).toBe('COPY lib/app /b');
      expect(await copied('COPY lib/app /b', [APP], { ignore: 'lib\n!**/mine' })).toBe('COPY lib/app /b');
    },
  );

  it('a folder into which another artifact is laid', async () => {
    const other: Taken = ['one', '/other', 'lib/app/conf', [member({ path: 'other' }, 'x')]];
    expect(await copied('COPY lib/app /b', [APP, other])).toBe('COPY lib/app /b');
    expect(await copied('COPY lib/app/conf /b', [APP, other])).toBe('COPY lib/app/conf /b');
  });

  it('a file that a later artifact replaces is taken from the later one', async () => {
    const later: Taken = ['two', '/later/bin', '', [member({ path: 'bin' }, 'y')]];
    expect(await copied('COPY bin /b', [BIN, later])).toBe('COPY --from=two /later/bin /b');
  });

  it.each(['/etc', '/etc/hosts', '/dev/x', '/proc'])(
    '%s, of which a container has its own',
    async (source) => {
      const name = source.slice(source.lastIndexOf('/') + 1);
      const taken: Taken = ['one', source, '', [folder(name), member({ path: `${name}/x` }, 'x')]];
      expect(await copied(`COPY ${name} /b`, [taken])).toBe(`COPY ${name} /b`);
    },
  );
});

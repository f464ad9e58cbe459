import { chmod, link, lutimes, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { spoolArtifact } from '../../src/tar/artifact.js';
import { writeArtifact } from '../../src/tar/extract.js';
import { createContext } from '../../src/tar/overlay.js';
import { packContext } from '../../src/tar/pack.js';
import { NEVER, readAll, run, scan, streamOf } from '../support/tar.js';
import { plant, temporaryFolder } from '../support/tar-tree.js';

const root = temporaryFolder();

/** Everything that GNU tar can tell of an archive, one line an entry. */
const listing = (archive: Buffer) =>
  run(
    'tar',
    ['-tvv', '--numeric-owner', '--full-time', '--utc', '--quoting-style=escape', '--xattrs'],
    archive,
  )
    .split('\n')
    .filter((line) => !line.includes('.dockerignore') && !line.includes('.habitus.Dockerfile'))
    .sort();

async function oddTree(): Promise<string> {
  const odd = [
    'plain',
    'sp ace',
    'new\nline',
    'caf\xe9',
    'ctrl\x01',
    '-dash',
    'back\\slash',
    'n'.repeat(255),
  ];
  const directory = join(root.path, 'in/tree');
  await plant(directory, [
    ...odd.map((name) => `odd/${name}`),
    `${'d'.repeat(120)}/${'e'.repeat(130)}/deep`,
    'empty/',
    'dangling -> no/where\xff',
    `long -> ${'t'.repeat(200)}`,
    'up -> ../..',
    'modes/suid',
    'modes/none',
  ]);
  await chmod(join(directory, 'modes/suid'), 0o6755);
  await chmod(join(directory, 'modes/none'), 0);
  await chmod(join(directory, 'empty'), 0o1777);
  await link(join(directory, 'odd/plain'), join(directory, 'odd/zz'));
  await link(join(directory, 'odd/plain'), join(directory, 'aa'));
  await lutimes(join(directory, 'dangling'), 86_400, 86_400);
  await lutimes(join(directory, 'odd'), 5_000_000_000, 5_000_000_000);
  return directory;
}

function archiveOf(parent: string, ...options: string[]): Buffer {
  return Buffer.from(
    run('tar', ['-c', '--sort=name', '--format=pax', ...options, '-C', parent, 'tree']),
    'latin1',
  );
}

describe('a tree with everything odd in it', () => {
  it('passes as an artifact into a context unchanged', async () => {
    await oddTree();
    // Whole seconds, as the engine sends them.
    const sent = archiveOf(join(root.path, 'in'), '--owner=1234', '--group=4321', '--mtime=@1500000000');
    await mkdir(join(root.path, 'work'));
    await using artifact = await spoolArtifact(
      streamOf(sent, 1234),
      { source: '/x/tree', destination: '' },
      NEVER,
    );
    const context = createContext({
      directory: join(root.path, 'work'),
      workDirectory: join(root.path, 'work'),
      artifacts: [artifact],
    });
    const { body } = packContext(context, { type: 'generated', content: Buffer.from('FROM scratch') }, NEVER);
    const arrived = await readAll(body);
    expect(listing(arrived)).toEqual(listing(sent));
    const contents = (archive: Buffer) =>
      scan(archive)
        .filter(({ entry }) => entry.type === '0' && entry.path.startsWith('tree/'))
        .map(({ entry, content }) => [entry.path, content.toString('latin1')])
        .sort();
    expect(contents(arrived)).toEqual(contents(sent));
  });

  it('is written into the work directory unchanged', async () => {
    await oddTree();
    const truncated = archiveOf(join(root.path, 'in'), '--mtime=@1500000000');
    await mkdir(join(root.path, 'work'));
    await using artifact = await spoolArtifact(
      streamOf(truncated),
      { source: '/tree', destination: '' },
      NEVER,
    );
    await writeArtifact(artifact, join(root.path, 'work'), NEVER);
    expect(listing(archiveOf(join(root.path, 'work')))).toEqual(listing(truncated));
  });

  it('as a local folder is sent as GNU tar would, but owned by root', async () => {
    const directory = await oddTree();
    const context = createContext({ directory, workDirectory: directory, artifacts: [] });
    const { body } = packContext(context, { type: 'generated', content: Buffer.from('FROM scratch') }, NEVER);
    const all = Buffer.from(
      run('tar', [
        '-c',
        '--format=gnu',
        '--owner=0',
        '--group=0',
        '-C',
        directory,
        '--transform=s,^\\./,,S',
        '.',
      ]),
      'latin1',
    );
    const names = (archive: Buffer) =>
      scan(archive)
        .filter(({ entry }) => entry.path !== './' && !/^\.(habitus|dockerignore)/.test(entry.path))
        .map(({ entry: { path, mode, uid, gid, mtimeNs } }) => [
          path.replace(/^\.\//, ''),
          mode,
          uid,
          gid,
          mtimeNs,
        ])
        .sort();
    expect(names(await readAll(body))).toEqual(names(all));
  });
});

import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { spoolArtifact, type Artifact } from '../../src/tar/artifact.js';
import { writeArtifact } from '../../src/tar/extract.js';
import { encode, folder, member, NEVER, streamOf, type Member } from '../support/tar.js';
import { plant, temporaryFolder } from '../support/tar-tree.js';

const root = temporaryFolder();
const spooled: Artifact[] = [];

afterEach(async () => {
  for (const artifact of spooled.splice(0)) await artifact[Symbol.asyncDispose]();
});

const work = () => join(root.path, 'work');

async function artifact(members: readonly Member[], source = '/d', destination = ''): Promise<Artifact> {
  await mkdir(work(), { recursive: true });
  const made = await spoolArtifact(streamOf(encode(members)), { source, destination }, NEVER);
  spooled.push(made);
  return made;
}

const tree = [
  folder('d', { mode: 0o750, mtimeNs: 1_000_000_000_000n }),
  member({ path: 'd/f', mode: 0o4711, mtimeNs: 2_000_000_000_000n }, 'content'),
  member({ path: 'd/h', type: 'hardlink', linkname: 'd/f' }),
  folder('d/locked', { mode: 0o555, mtimeNs: 3_000_000_000_000n }),
  member({ path: 'd/locked/x\n\xff' }, 'odd'),
  member({ path: 'd/s', type: 'symlink', linkname: '../../out', mtimeNs: 4_000_000_000_000n }),
];

describe('keeping an artifact', () => {
  it('writes it with modes, times, links and names', async () => {
    await writeArtifact(await artifact(tree, '/d', 'to/here'), work(), NEVER);
    const at = join(work(), 'to/here/d');
    expect(await lstat(at)).toMatchObject({ mtimeMs: 1_000_000, mode: 0o40750 });
    const file = await lstat(join(at, 'f'));
    expect(file).toMatchObject({ mtimeMs: 2_000_000, mode: 0o104711, nlink: 2 });
    expect((await lstat(join(at, 'h'))).ino).toBe(file.ino);
    expect(await readlink(join(at, 's'))).toBe('../../out');
    expect((await lstat(join(at, 's'))).mtimeMs).toBe(4_000_000);
    expect(await lstat(join(at, 'locked'))).toMatchObject({ mtimeMs: 3_000_000, mode: 0o40555 });
    expect(await readFile(Buffer.from(`${at}/locked/x\n\xff`, 'latin1'), 'utf8')).toBe('odd');
    expect((await readdir(at)).sort()).toEqual(['f', 'h', 'locked', 's']);
  });

  it('replaces what was there, twice over, and keeps what is not its own', async () => {
    await plant(work(), ['d/f=old', 'd/h=old', 'd/mine', 'd/s=was a file']);
    const made = await artifact(tree);
    await writeArtifact(made, work(), NEVER);
    await writeArtifact(made, work(), NEVER);
    expect(await readFile(join(work(), 'd/h'), 'utf8')).toBe('content');
    expect((await readdir(join(work(), 'd'))).sort()).toEqual(['f', 'h', 'locked', 'mine', 's']);
  });

  it('does not write through a symlink in place of a file', async () => {
    await plant(root.path, ['outside=untouched', 'work/d/']);
    await symlink('../../outside', join(work(), 'd/f'));
    await writeArtifact(await artifact(tree), work(), NEVER);
    expect(await readFile(join(root.path, 'outside'), 'utf8')).toBe('untouched');
    expect((await lstat(join(work(), 'd/f'))).isFile()).toBe(true);
  });

  it('does not enter a symlink in place of a folder', async () => {
    await plant(root.path, ['outside/', 'work/']);
    await symlink('../outside', join(work(), 'd'));
    await expect(writeArtifact(await artifact(tree), work(), NEVER)).rejects.toMatchObject({
      message: 'Cannot keep the artifact "d": it is a folder, but a symlink is in its place',
      hint: 'Move that away, give the artifact another destination, or build without --keep-artifacts.',
    });
    expect(await readdir(join(root.path, 'outside'))).toEqual([]);
  });

  it('does not replace a folder by a file', async () => {
    await plant(work(), ['d/f/x']);
    await expect(writeArtifact(await artifact(tree), work(), NEVER)).rejects.toThrow(
      'Cannot keep the artifact "d/f": it is a file, but a folder is in its place',
    );
    expect(await readFile(join(work(), 'd/f/x'), 'utf8')).toBe('d/f/x');
  });

  it('refuses devices and pipes before it writes anything', async () => {
    const made = await artifact([
      folder('d'),
      member({ path: 'd/null', type: 'character', devMajor: 1, devMinor: 3 }),
    ]);
    await expect(writeArtifact(made, work(), NEVER)).rejects.toMatchObject({
      message: 'Cannot keep the artifact "d/null": it is a device or a pipe',
      hint: 'Take an artifact without it, or build without --keep-artifacts.',
    });
    expect(await readdir(work())).toEqual([]);
  });

  it('leaves no temporary file and the old one in place when it fails midway', async () => {
    await writeFile(join(await mkdir(work(), { recursive: true }).then(() => work()), 'f'), 'old');
    const made = await artifact([member({ path: 'f' }, 'new')], '/f');
    const broken: Artifact = {
      source: made.source,
      entries: made.entries,
      open: () =>
        Readable.from(
          (function* () {
            yield Buffer.from('ne');
            throw Object.assign(new Error('disk'), { code: 'EIO' });
          })(),
        ),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    await expect(writeArtifact(broken, work(), NEVER)).rejects.toMatchObject({
      message: 'Cannot write the artifact "f": EIO',
      hint: 'Check the permissions and the free space of the work directory.',
    });
    expect(await readdir(work())).toEqual(['f']);
    expect(await readFile(join(work(), 'f'), 'utf8')).toBe('old');
  });

  it('stops at an abort', async () => {
    const made = await artifact(tree);
    await expect(writeArtifact(made, work(), AbortSignal.abort(new Error('stopped')))).rejects.toThrow(
      'stopped',
    );
    expect(await readdir(work())).toEqual([]);
  });
});

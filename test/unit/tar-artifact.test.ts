import { readdir, readlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { spoolArtifact } from '../../src/tar/artifact.js';
import type { ArtifactSource } from '../../src/tar/artifact-index.js';
import type { ContextEntry } from '../../src/tar/context.js';
import { encode, folder, member, NEVER, readAll, streamOf, type Member } from '../support/tar.js';
import { lines, temporaryFolder } from '../support/tar-tree.js';

const folderOfSpools = temporaryFolder();

const spool = (members: readonly Member[], source: ArtifactSource) =>
  spoolArtifact(streamOf(encode(members), 777), source, NEVER);

function named(entries: readonly ContextEntry[], path: string): ContextEntry {
  const found = entries.find((entry) => entry.path === path);
  if (!found) throw new Error(`no ${path}`);
  return found;
}

/** Temp files that this process holds open. */
async function spoolFiles(): Promise<string[]> {
  const targets = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return targets.filter((target) => target.includes('habitus-'));
}

describe('an artifact', () => {
  it('is re-rooted at its destination, hard links too, with all its metadata', async () => {
    const capability = '\x01\x00\x00\x02\x80\xff';
    await using artifact = await spool(
      [
        folder('conf', { mode: 0o2750, uid: 7, gid: 8, mtimeNs: 5_000_000_000n }),
        member({ path: 'conf/a\n\xff', xattrs: new Map([['security.capability', capability]]) }, 'text'),
        member({ path: 'conf/b', type: 'hardlink', linkname: 'conf/a\n\xff' }),
        member({ path: 'conf/s', type: 'symlink', linkname: '../../etc' }),
        folder('conf/empty'),
      ],
      { source: '/out/conf', destination: 'etc/x' },
    );
    expect(lines(artifact.entries)).toEqual([
      'etc/x/conf/',
      'etc/x/conf/a\n\xff',
      'etc/x/conf/b => etc/x/conf/a\n\xff',
      'etc/x/conf/empty/',
      'etc/x/conf/s -> ../../etc',
    ]);
    expect(artifact.entries[0]).toMatchObject({ mode: 0o2750, uid: 7, gid: 8, mtimeNs: 5_000_000_000n });
    const file = named(artifact.entries, 'etc/x/conf/a\n\xff');
    expect(file.xattrs?.get('security.capability')).toBe(capability);
    expect((await readAll(artifact.open(file, NEVER))).toString()).toBe('text');
  });

  it('may be one file, the work directory its destination', async () => {
    await using artifact = await spool([member({ path: 'app', mode: 0o755 }, 'ELF')], {
      source: '/go/bin/app',
      destination: '',
    });
    expect(lines(artifact.entries)).toEqual(['app']);
  });

  it('may have a name beyond ASCII', async () => {
    const name = Buffer.from('été').toString('latin1');
    await using artifact = await spool([member({ path: name }, 'x')], { source: '/été', destination: 'à' });
    expect(lines(artifact.entries)).toEqual([Buffer.from('à/été').toString('latin1')]);
  });

  it('may be the whole image: then nothing of its name is kept', async () => {
    await using artifact = await spool([folder(''), folder('/etc'), member({ path: '/etc/f' }, 'x')], {
      source: '/',
      destination: 'rootfs',
    });
    expect(lines(artifact.entries)).toEqual(['rootfs/etc/', 'rootfs/etc/f']);
  });

  it('is sorted, and the first name of a file is the file', async () => {
    await using artifact = await spool(
      [
        folder('d'),
        member({ path: 'd/z' }, 'same'),
        member({ path: 'd/b', type: 'hardlink', linkname: 'd/z' }),
      ],
      { source: '/d', destination: '' },
    );
    expect(lines(artifact.entries)).toEqual(['d/', 'd/b', 'd/z => d/b']);
    expect((await readAll(artifact.open(named(artifact.entries, 'd/b'), NEVER))).toString()).toBe('same');
  });

  it('turns a hard link to a symlink into a symlink', async () => {
    await using artifact = await spool(
      [
        folder('d'),
        member({ path: 'd/a', type: 'symlink', linkname: 't' }),
        member({ path: 'd/b', type: 'hardlink', linkname: 'd/a' }),
      ],
      { source: '/d', destination: '' },
    );
    expect(lines(artifact.entries)).toEqual(['d/', 'd/a -> t', 'd/b -> t']);
  });

  it('reads large files in parts, several at once', async () => {
    const content = 'large'.repeat(600_000);
    await using artifact = await spool([member({ path: 'f' }, content)], { source: '/f', destination: '' });
    const file = named(artifact.entries, 'f');
    const both = await Promise.all([
      readAll(artifact.open(file, NEVER)),
      readAll(artifact.open(file, NEVER)),
    ]);
    expect(both.map((bytes) => bytes.equals(Buffer.from(content)))).toEqual([true, true]);
  });

  it('lies in TMPDIR without a name, and its descriptor is closed at its end', async () => {
    vi.stubEnv('TMPDIR', folderOfSpools.path);
    try {
      await using artifact = await spool([member({ path: 'f' }, 'x')], { source: '/f', destination: '' });
      expect(artifact.entries).toHaveLength(1);
      expect(await readdir(folderOfSpools.path)).toEqual([]);
      expect(await spoolFiles()).toEqual([expect.stringContaining(`${folderOfSpools.path}/`)]);
    } finally {
      vi.unstubAllEnvs();
    }
    expect(await spoolFiles()).toEqual([]);
  });

  const hostile: [string, Member[], string][] = [
    [
      '..',
      [folder('d'), member({ path: 'd/../../x' }, 'x')],
      'The artifact "/d" cannot be used: it holds the unsafe name "d/../../x"',
    ],
    [
      'another root',
      [folder('d'), member({ path: 'etc/passwd' }, 'x')],
      'The artifact "/d" cannot be used: it holds "etc/passwd", which lies outside it',
    ],
    [
      'an absolute name',
      [folder('d'), member({ path: '/etc/passwd' }, 'x')],
      'The artifact "/d" cannot be used: it holds "/etc/passwd", which lies outside it',
    ],
    [
      'a hard link out of it',
      [folder('d'), member({ path: 'd/l', type: 'hardlink', linkname: 'etc/shadow' })],
      'The artifact "/d" cannot be used: it holds "etc/shadow", which lies outside it',
    ],
    [
      'a hard link to nothing',
      [folder('d'), member({ path: 'd/l', type: 'hardlink', linkname: 'd/no' })],
      'The artifact "/d" cannot be used: its hard link "d/l" points to "d/no", which is not a file in it',
    ],
    [
      'one name twice',
      [folder('d'), member({ path: 'd/a' }, '1'), member({ path: 'd/a' }, '2')],
      'The artifact "/d" cannot be used: it holds "d/a" twice',
    ],
    [
      'a file below a symlink',
      [
        folder('d'),
        member({ path: 'd/s', type: 'symlink', linkname: '/' }),
        member({ path: 'd/s/etc' }, 'x'),
      ],
      'The artifact "/d" cannot be used: "d/s" has entries below it but is no folder',
    ],
    ['nothing', [], 'The artifact "/d" cannot be used: the engine sent nothing of it'],
  ];
  it.each(hostile)('is refused with %s in it', async (_, members, message) => {
    await expect(spool(members, { source: '/d', destination: '' })).rejects.toMatchObject({
      message,
      hint: 'Take another file or folder of the image as the artifact.',
    });
    expect(await spoolFiles()).toEqual([]);
  });

  it('is refused when its archive ends early, even between two entries', async () => {
    const archive = encode([folder('d'), member({ path: 'd/a' }, 'x')]);
    const cut = spoolArtifact(streamOf(archive.subarray(0, -1024)), { source: '/d', destination: '' }, NEVER);
    await expect(cut).rejects.toThrow('Bad tar archive at byte 1536: the archive is cut off');
  });

  it('passes on the failure of its stream', async () => {
    const stream = Readable.from(
      (function* () {
        yield encode([folder('d')]).subarray(0, 512);
        throw new Error('connection lost');
      })(),
    );
    await expect(spoolArtifact(stream, { source: '/d', destination: '' }, NEVER)).rejects.toThrow(
      'connection lost',
    );
  });

  it('stops at an abort, with its stream destroyed and its file closed', async () => {
    const stop = new AbortController();
    const stream = new Readable({ read: () => undefined });
    stream.push(encode([folder('d')]).subarray(0, 512));
    const result = spoolArtifact(stream, { source: '/d', destination: '' }, stop.signal);
    stop.abort(new Error('stopped by hand'));
    await expect(result).rejects.toThrow('stopped by hand');
    expect(stream.destroyed).toBe(true);
    expect(await spoolFiles()).toEqual([]);
  });
});

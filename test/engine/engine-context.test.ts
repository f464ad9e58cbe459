/** How contexts arrive in images: what of each entry survives, how much is sent, and builds of one folder at once. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Builder, BuilderEvent, BuildRequest, Engine } from '../../src/core/ports.js';
import type { BuildContext } from '../../src/tar/context.js';
import type { RawEntry } from '../../src/tar/raw.js';
import { engines } from '../support/engines.js';
import { realEngine } from '../support/real-engine.js';
import { folder, member, NEVER, readAll, scan, type Member } from '../support/tar.js';

const MTIME = 1_600_000_000_123_456_789n;

/** A context of these members, and which of them were opened. */
function contextOf(members: readonly Member[]): BuildContext & { readonly opened: string[] } {
  const contents = new Map(members.map(({ entry, content }) => [entry.path, content]));
  const opened: string[] = [];
  return {
    opened,
    async *entries() {
      for (const { entry } of members) yield await Promise.resolve(entry);
    },
    open({ path }) {
      opened.push(path);
      return Readable.from([contents.get(path) ?? Buffer.alloc(0)], { objectMode: false });
    },
  };
}

const TREE: readonly Member[] = [
  folder('dir', { mode: 0o1777, uid: 7, gid: 8, mtimeNs: MTIME }),
  folder('dir/empty', { mode: 0o2750, uid: 1001, gid: 1002, mtimeNs: MTIME }),
  member({ path: 'dir/file', mode: 0o4755, uid: 1000, gid: 1001, mtimeNs: MTIME }, 'content'),
  member({
    path: 'dir/hard',
    type: 'hardlink',
    linkname: 'dir/file',
    mode: 0o4755,
    uid: 1000,
    gid: 1001,
    mtimeNs: MTIME,
  }),
  member({
    path: 'dir/link',
    type: 'symlink',
    linkname: '../gone',
    mode: 0o777,
    uid: 5,
    gid: 6,
    mtimeNs: MTIME,
  }),
  member({ path: 'new\nline', mtimeNs: MTIME }, 'x'),
  member({ path: 'with space', mtimeNs: MTIME }, 'x'),
];
const NOT_UTF8 = member({ path: 'y\xff\xfe', mtimeNs: MTIME }, 'x');
/** CAP_NET_BIND_SERVICE, permitted and effective: linux/capability.h, revision 2. */
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex').toString('latin1');

describe.each(engines())('contexts on $name', (testEngine) => {
  let engine: Engine;
  const events: BuilderEvent[] = [];

  beforeAll(async () => {
    ({ engine } = await realEngine(testEngine));
  });
  afterAll(async () => {
    await engine.close();
  });

  async function build(
    builder: Builder,
    context: BuildContext,
    lines: string,
    contextKey = unique(),
  ): Promise<string> {
    const tag = `127.0.0.1:1/habitus-context/${unique()}:latest`;
    const dockerfile = Buffer.from(lines);
    const request: BuildRequest = {
      builder,
      context,
      contextKey,
      dockerfile,
      tag,
      args: {},
      noCache: false,
      network: 'none',
      limits: {},
      removeContainers: true,
      secrets: new Map(),
      ssh: [],
    };
    await engine.build(request, (event) => events.push(event), NEVER);
    return tag;
  }

  /** What lies in the image at the path, by path. */
  async function filesOf(
    tag: string,
    path: string,
  ): Promise<Map<string, { entry: RawEntry; content: string }>> {
    const request = { image: tag, command: [], network: 'none', limits: {}, labels: {} };
    const container = await engine.createContainer(request, NEVER);
    const found = scan(await readAll(await container.archive(path, NEVER)));
    await container.remove();
    await engine.removeImage(tag);
    return new Map(
      found.map(({ entry, content }) => [
        entry.path.replace(/\/$/, ''),
        // 20.10 leaves the bits of the file's type in the mode.
        { entry: { ...entry, mode: entry.mode & 0o7777 }, content: content.toString() },
      ]),
    );
  }

  it('keeps owners, setuid, links, empty folders, odd names and times of files through BuildKit', async () => {
    const files = await filesOf(
      await build('buildkit', contextOf(TREE), 'FROM busybox:latest\nCOPY . /out/\n'),
      '/out',
    );
    for (const { entry: sent, content } of TREE) {
      const { entry, content: got } = files.get(`out/${sent.path}`) ?? {};
      expect({ path: sent.path, mode: entry?.mode, uid: entry?.uid, gid: entry?.gid }).toEqual({
        path: sent.path,
        mode: sent.mode,
        uid: sent.uid,
        gid: sent.gid,
      });
      expect(got).toBe(content.toString());
      // The archive of a container tells whole seconds; 20.10 sets the time of a folder before it fills it.
      if (sent.type !== 'directory') expect((entry?.mtimeNs ?? 0n) / 1_000_000_000n).toBe(1_600_000_000n);
    }
    expect(files.get('out/dir/hard')?.entry).toMatchObject({ type: '1', linkname: 'out/dir/file' });
    expect(files.get('out/dir/link')?.entry).toMatchObject({ type: '2', linkname: '../gone' });
    expect(files.size).toBe(TREE.length + 1);
  });

  it('keeps what COPY of the classic builder keeps: all but owners and setuid', async () => {
    const tree = [...TREE, NOT_UTF8];
    const files = await filesOf(
      await build('classic', contextOf(tree), 'FROM busybox:latest\nCOPY . /out/\n'),
      '/out',
    );
    for (const { entry: sent } of tree) {
      const { entry } = files.get(`out/${sent.path}`) ?? {};
      const setuid = sent.type === 'file' || sent.type === 'hardlink' ? 0o4000 : 0;
      expect({ path: sent.path, mode: entry?.mode, uid: entry?.uid, gid: entry?.gid }).toEqual({
        path: sent.path,
        mode: sent.mode & ~setuid,
        uid: 0,
        gid: 0,
      });
    }
    expect(files.size).toBe(tree.length + 1);
  });

  it('carries names that are not UTF-8, and capabilities, through BuildKit too, with a warning', async () => {
    events.length = 0;
    const capable = member(
      { path: 'z', mode: 0o755, xattrs: new Map([['security.capability', CAPABILITY]]) },
      'x',
    );
    const context = contextOf([...TREE, NOT_UTF8, capable]);
    const files = await filesOf(
      await build('buildkit', context, 'FROM busybox:latest\nCOPY . /out/\n'),
      '/out',
    );
    expect(files.get('out/y\xff\xfe')?.content).toBe('x');
    expect(files.get('out/dir/file')?.entry).toMatchObject({ mode: 0o4755, uid: 1000, gid: 1001 });
    expect(files.get('out/z')?.entry.pax.get('SCHILY.xattr.security.capability')).toBe(CAPABILITY);
    expect(events.filter(({ type }) => type === 'warning')).toEqual([
      {
        type: 'warning',
        message:
          'The name "y\ufffd\ufffd" cannot pass BuildKit\'s file transfer: the context is sent as one tar, and COPY . copies .habitus.Dockerfile too',
      },
    ]);
  });

  it('sends BuildKit only the files that COPY names, and what symlinks on the way lead to', async () => {
    const context = contextOf([
      member({ path: 'alias', type: 'symlink', linkname: 'real', mode: 0o777 }),
      member({ path: 'big' }, 'never asked for'),
      folder('real'),
      member({ path: 'real/a.txt' }, 'a'),
      member({ path: 'real/b.md' }, 'b'),
    ]);
    const tag = await build('buildkit', context, 'FROM scratch\nCOPY alias/*.txt /out/\n');
    expect([...(await filesOf(tag, '/out')).keys()]).toEqual(['out', 'out/a.txt']);
    expect(context.opened).toEqual(['real/a.txt']);
  });

  it('sends nothing again that BuildKit has, and sends what changed', async () => {
    const key = unique();
    const version = (content: string, mtimeNs: bigint): ReturnType<typeof contextOf> =>
      contextOf([
        member({ path: 'changes', mtimeNs }, content),
        member({ path: 'stays', mtimeNs: MTIME }, 'same'),
      ]);
    const first = version('1', MTIME);
    await engine.removeImage(await build('buildkit', first, 'FROM scratch\nCOPY . /out/\n', key));
    const second = version('2', MTIME + 1_000_000_000n);
    const files = await filesOf(await build('buildkit', second, 'FROM scratch\nCOPY . /out/\n', key), '/out');
    expect(first.opened.sort()).toEqual(['changes', 'stays']);
    expect(second.opened).toEqual(['changes']);
    expect(files.get('out/changes')?.content).toBe('2');
  });

  it.each<Builder>(['buildkit', 'classic'])(
    'builds one folder with different artifacts at once, by %s',
    async (builder) => {
      const key = unique();
      const numbers = Array.from({ length: 6 }, (_, index) => index);
      const built = numbers.map(async (number) => {
        const own = contextOf([
          member({ path: `artifact-${number}`, mtimeNs: MTIME }, `only ${number}`),
          member({ path: 'shared', mtimeNs: MTIME + BigInt(number) * 1_000_000_000n }, `shared ${number}`),
        ]);
        const files = await filesOf(await build(builder, own, 'FROM scratch\nCOPY . /out/\n', key), '/out');
        return Object.fromEntries(
          [...files].filter(([path]) => path !== 'out').map(([path, { content }]) => [path, content]),
        );
      });
      expect(await Promise.all(built)).toEqual(
        numbers.map((number) => ({
          [`out/artifact-${number}`]: `only ${number}`,
          'out/shared': `shared ${number}`,
        })),
      );
    },
  );

  it.each<Builder>(['buildkit', 'classic'])(
    'fails a build whose context cannot be read with that reason, by %s',
    async (builder) => {
      const context: BuildContext = {
        ...contextOf([member({ path: 'gone' }, 'some content')]),
        open: () =>
          new Readable({
            read() {
              this.destroy(new Error('the file gone changed while it was read'));
            },
          }),
      };
      await expect(build(builder, context, 'FROM scratch\nCOPY . /\n')).rejects.toThrow(
        'the file gone changed while it was read',
      );
    },
  );

  it('lets a file of the Dockerfile name in the context alone, and honours no .dockerignore twice', async () => {
    const context = contextOf([
      member({ path: '.dockerignore' }, 'artifact\n'),
      member({ path: 'Dockerfile' }, 'the context has its own\n'),
      member({ path: 'artifact' }, 'asked for by name'),
    ]);
    for (const builder of engine.info.builders) {
      const files = await filesOf(await build(builder, context, 'FROM scratch\nCOPY . /out/\n'), '/out');
      expect([...files.keys()].sort()).toEqual([
        'out',
        'out/.dockerignore',
        'out/Dockerfile',
        'out/artifact',
      ]);
      expect(files.get('out/Dockerfile')?.content).toBe('the context has its own\n');
    }
  });
});

function unique(): string {
  return randomBytes(8).toString('hex');
}

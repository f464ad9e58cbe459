import { expect, it } from 'vitest';
import type { BuildContext, ContextEntry } from '../../src/tar/context.js';
import { rootOwned } from '../../src/tar/root-owned.js';
import { folder, listAll, member, NEVER, readAll, streamOf } from '../support/tar.js';

function context(entries: readonly ContextEntry[]): BuildContext {
  return {
    async *entries() {
      await Promise.resolve();
      yield* entries;
    },
    open: ({ path }) => streamOf(Buffer.from(path)),
  };
}

const given = async (entry: ContextEntry): Promise<ContextEntry | undefined> =>
  (await listAll(rootOwned(context([entry])).entries(NEVER)))[0];

it.each([
  [0o4755, 0o755],
  [0o6755, 0o755],
  [0o2755, 0o755],
  [0o2745, 0o2745],
  [0o6745, 0o2745],
  [0o1644, 0o1644],
])('a file of mode %o has mode %o once it is root’s', async (mode, left) => {
  const { entry } = member({ path: 'a', mode, uid: 1, gid: 2, mtimeNs: 3n });
  expect(await given(entry)).toEqual({ ...entry, mode: left, uid: 0, gid: 0 });
});

it('a folder keeps its mode', async () => {
  const { entry } = folder('a', { mode: 0o7777, uid: 1, gid: 2 });
  expect(await given(entry)).toEqual({ ...entry, uid: 0, gid: 0 });
});

it('capabilities go, other attributes stay', async () => {
  const { entry } = member({ path: 'a' });
  const capability = ['security.capability', '\x01'] as const;
  expect(await given({ ...entry, xattrs: new Map([capability]) })).toEqual(entry);
  expect(await given({ ...entry, xattrs: new Map([capability, ['user.x', 'y']]) })).toEqual({
    ...entry,
    xattrs: new Map([['user.x', 'y']]),
  });
});

it('contents are those of the context', async () => {
  const { entry } = member({ path: 'some/path' });
  const read = await readAll(rootOwned(context([])).open(entry, NEVER));
  expect(read.toString()).toBe('some/path');
});

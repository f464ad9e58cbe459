import { readFileSync, writeFileSync } from 'node:fs';
import { chmod, link, lstat, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { artifactParents } from '../../src/cache/artifact-parents.js';
import {
  isUntouched,
  listContext,
  type ContextDigest,
  type ContextFolder,
} from '../../src/cache/context-digest.js';
import { ContextReaders } from '../../src/cache/context-readers.js';
import { Contexts, keptFiles, type PlannedContext } from '../../src/cache/contexts.js';
import { scan } from '../../src/tar/scan.js';
import { StatCache } from '../../src/cache/stat-cache.js';
import { CacheStore } from '../../src/cache/store.js';
import { userFolder } from '../../src/core/user-folder.js';
import { compileIgnore } from '../../src/tar/ignore.js';
import { walk } from '../../src/tar/walk.js';
import { recalled } from '../support/digests.js';
import { listAll, NEVER, run } from '../support/tar.js';
import { clockMoved, plant, temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder.path, 'context', name);
const inContext = (lines: readonly string[]) => plant(at(''), lines);

async function digestContext(
  context: ContextFolder,
  known: StatCache,
  signal: AbortSignal,
): Promise<ContextDigest> {
  const { digest } = await listContext(context, known, { readsContents: 'now', signal });
  return digest ?? expect.fail('it has not read the contents');
}

function digest(
  ignore?: string,
  parents?: readonly string[],
  known = StatCache.empty(),
): Promise<ContextDigest> {
  return digestContext(
    {
      directory: at(''),
      ...(ignore !== undefined && { ignore: compileIgnore(ignore) }),
      ...(parents && { parents }),
    },
    known,
    NEVER,
  );
}

/** What was written so far is no longer taken for just written. */
function muchLater(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
}
afterEach(() => {
  vi.useRealTimers();
});

const digestText = async (ignore?: string) => (await digest(ignore)).digest;

/** Wrong digests of all files, as if they had been written long ago: who believes them has not read the files. */
function lieAbout(cache: StatCache): void {
  for (const { path, type, stats } of scan(at(''), undefined)) {
    if (type === 'file')
      cache.remember(path, stats, path.padEnd(32, '!'), stats.ctimeNs + 3_600_000_000_000n);
  }
}

describe('listing for a digest', () => {
  const name = fc.constantFrom('a', 'b', 'ab', 'a.b', 'a-b', '\xff', 'x y');
  const tree = fc.array(fc.array(name, { minLength: 1, maxLength: 4 }), { maxLength: 12 });
  const rule = fc.tuple(
    fc.constantFrom('', '!'),
    fc.constantFrom('a', 'b', '*', '**/b', 'a/*', 'a/b', 'ab/**', '?'),
  );

  it('gives what is sent, in the same order, whatever is ignored', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.array(rule, { maxLength: 5 }), async (files, rules) => {
        await rm(at(''), { recursive: true, force: true });
        await mkdir(at(''), { recursive: true });
        for (const names of files) await inContext([names.join('/')]).catch(() => undefined);
        const ignore = compileIgnore(rules.map((parts) => parts.join('')).join('\n'));
        const sent: string[] = [];
        for await (const { entry } of walk(at(''), ignore, NEVER)) sent.push(`${entry.type} ${entry.path}`);
        expect(Array.from(scan(at(''), ignore), ({ type, path }) => `${type} ${path}`)).toEqual(sent);
      }),
      { numRuns: 60 },
    );
  });
});

it('lists an ignored folder only when something below it comes back', async () => {
  await inContext(['keep/x', 'out/a/yes', 'out/a/no', 'out/b/no', 'z']);
  const listed = Array.from(scan(at(''), compileIgnore('out\n!out/a/yes')), ({ path }) => path);
  expect(listed).toEqual(['keep', 'keep/x', 'out', 'out/a', 'out/a/yes', 'z']);
});

describe('the digest of a context', () => {
  it('does not depend on times, places or the order of making', async () => {
    await inContext(['d/a=1', 'b=2', 'l -> b', 'empty/']);
    const first = await digest();
    await utimes(at('d/a'), 5, 5);
    expect((await digest()).digest).toBe(first.digest);
    await rename(at(''), join(folder.path, 'moved'));
    await inContext(['empty/', 'l -> b', 'b=2', 'd/a=1']);
    expect((await digest()).digest).toBe(first.digest);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['content', () => writeFile(at('d/a'), '2')],
    ['size', () => writeFile(at('d/a'), '')],
    ['a mode', () => chmod(at('d/a'), 0o755)],
    ['the mode of a folder', () => chmod(at('d'), 0o700)],
    ['setuid', () => chmod(at('d/a'), 0o4644)],
    ['a name', () => rename(at('d/a'), at('d/z'))],
    ['a place', () => rename(at('d/a'), at('a'))],
    ['a new file', () => writeFile(at('new'), '')],
    ['a new empty folder', () => mkdir(at('new'))],
    ['a removed file', () => rm(at('b'))],
    ['a link’s target', () => rm(at('l')).then(() => inContext(['l -> d']))],
    ['a file in place of a link', () => rm(at('l')).then(() => inContext(['l=b']))],
    ['a hard link in place of a copy', () => rm(at('b2')).then(() => link(at('b'), at('b2')))],
    ['a fifo', () => Promise.resolve(run('mkfifo', [at('pipe')]))],
    ['two contents exchanged', () => writeFile(at('d/a'), '2').then(() => writeFile(at('b'), '1'))],
  ])('changes with %s', async (_, change) => {
    await inContext(['d/a=1', 'b=2', 'b2=2', 'l -> b']);
    const before = await digestText();
    await change();
    expect(await digestText()).not.toBe(before);
  });

  it('tells which of two equal files has another name', async () => {
    await inContext(['a=1', 'b=1']);
    await link(at('a'), at('c'));
    const before = await digestText();
    await rm(at('c'));
    await link(at('b'), at('c'));
    expect(await digestText()).not.toBe(before);
  });

  it('passes over what is ignored', async () => {
    await inContext(['a=1', 'out/x=1', 'out/keep=1']);
    const rules = 'out\n!out/keep';
    const before = await digestText(rules);
    await writeFile(at('out/x'), '2');
    expect(await digestText(rules)).toBe(before);
    await writeFile(at('out/keep'), '2');
    expect(await digestText(rules)).not.toBe(before);
  });

  it('counts the mode of an ignored folder only where an artifact needs it', async () => {
    await inContext(['etc/x', 'a']);
    const parents = artifactParents(
      [{ source: '/out/conf', destination: 'context/etc' }],
      folder.path,
      at(''),
    );
    expect(parents).toEqual(['etc']);
    const [without, needed] = [await digest('etc'), await digest('etc', parents)];
    await chmod(at('etc'), 0o700);
    expect((await digest('etc')).digest).toBe(without.digest);
    expect((await digest('etc', parents)).digest).not.toBe(needed.digest);
    await rm(at('etc'), { recursive: true });
    expect((await digest('etc', parents)).digest).not.toBe(needed.digest);
  });

  it('names a file that cannot be read', async () => {
    await expect(digestContext({ directory: at('nowhere') }, StatCache.empty(), NEVER)).rejects.toThrow(
      '"." of the context changed while it was being read',
    );
  });

  it('stops at an abort', async () => {
    await inContext(['a']);
    const stopped = AbortSignal.abort(new Error('enough'));
    await expect(digestContext({ directory: at('') }, StatCache.empty(), stopped)).rejects.toThrow('enough');
  });

  it('gives up on a file that somebody keeps writing to', async () => {
    await inContext(['small']);
    const write = (size: number): void => {
      writeFileSync(at('log'), Buffer.alloc(size));
    };
    write(300_000);
    const stop = new AbortController();
    const writer = (async () => {
      for (let size = 300_001; !stop.signal.aborted; size++) {
        write(size);
        await new Promise(setImmediate);
      }
    })();
    await expect(digest()).rejects.toMatchObject({
      message: '"log" of the context changed while it was being read',
      hint: 'Build again when nothing writes to it, or leave it out with a line in .dockerignore.',
    });
    stop.abort();
    await writer;
  });
});

describe('artifacts’ parents', () => {
  it.each([
    ['/out/conf', 'a/b', '', ['a/b', 'a']],
    ['/bin/app', '', '', []],
    ['/', 'root/fs', '', ['root/fs', 'root']],
    ['/out/conf', 'sub/x', 'sub', ['x']],
    ['/out/conf', 'other', 'sub', []],
    ['/out/sub', '', 'sub', []],
    ['/é', 'ü', '', ['\xc3\xbc']],
  ])('of %s in %o, seen from %o', (source, destination, context, expected) => {
    expect(artifactParents([{ source, destination }], '/work', join('/work', context))).toEqual(expected);
  });
});

describe('the contexts of a session', () => {
  const store = () => new CacheStore(userFolder({ XDG_CACHE_HOME: join(folder.path, 'cache') }));
  const context = () => ({ directory: at('') });
  const digestOf = async (contexts: Contexts, of: PlannedContext): Promise<ContextDigest> =>
    (await contexts.list(of, 'now', NEVER)) ?? expect.fail('it has not read the contents');

  it('are read once, then known by stat data alone', async () => {
    await inContext(['a=1', 'd/b=2']);
    const cache = StatCache.empty();
    lieAbout(cache);
    const believed = await digest(undefined, undefined, cache);
    expect(believed.digest).not.toBe(await digestText());
    await writeFile(at('a'), '1');
    await writeFile(at('d/b'), '2');
    expect((await digest(undefined, undefined, cache)).digest).toBe(await digestText());
  });

  it('are listed once for all steps', async () => {
    await inContext(['a=1']);
    const contexts = new Contexts(store());
    const first = await digestOf(contexts, context());
    await writeFile(at('a'), '2');
    expect(await digestOf(contexts, context())).toBe(first);
    expect(await digestOf(contexts, { ...context(), ignore: 'b' })).not.toBe(first);
    expect((await digestOf(new Contexts(store()), context())).digest).not.toBe(first.digest);
  });

  describe.each(['now', 'later'] as const)('with contents read %s', (readsContents) => {
    it.each<[string, () => Promise<unknown>, boolean]>([
      ['nothing', () => Promise.resolve(), true],
      ['an ignored file', () => writeFile(at('d/out'), 'x'), true],
      ['a change', () => writeFile(at('a'), '2'), false],
      ['a change and back', () => writeFile(at('a'), '2').then(() => writeFile(at('a'), '1')), false],
      ['a mode', () => chmod(at('d/in'), 0o600), false],
      ['a file that came and went', () => writeFile(at('n'), '').then(() => rm(at('n'))), false],
      ['the whole folder gone', () => rm(at(''), { recursive: true }), false],
    ])('tell %s since they were listed', async (_, change, still) => {
      await inContext(['a=1', 'd/out=1', 'd/in=1', 'e/', 'l -> a']);
      await link(at('a'), at('same'));
      const ignoring = { ...context(), ignore: 'd/out' };
      for (const settled of [false, true]) {
        if (settled) muchLater();
        const contexts = new Contexts(store());
        await contexts.list(ignoring, readsContents, NEVER);
        const { digest: expected } = await digest('d/out');
        await clockMoved(folder.path);
        await change();
        const [one, two] = [ignoring, { ...ignoring }];
        const untouched = await contexts.untouched([one, two], NEVER);
        const digests = [one, two].map((of) => untouched.get(of)?.digest);
        expect(digests).toEqual(still ? [expected, expected] : [undefined, undefined]);
        expect(await contexts.untouched([context()], NEVER), 'never listed').toEqual(new Map());
        await inContext(['a=1']);
      }
    });
  });

  it('have kept still only if contents that could change unseen are the same, too', async () => {
    await inContext(['d/', 'd/a=1', 'e']);
    const list = (readsContents: 'now' | 'later') =>
      listContext(context(), StatCache.empty(), { readsContents, signal: NEVER });
    const after = await list('now');
    // Files were written just now: the next write could fall within one tick of the clock, on systems that have such ticks.
    for (const readsContents of ['now', 'later'] as const) {
      const before = await list(readsContents);
      expect(isUntouched(before, after)).toBe(true);
      const others = {
        at: (place: number) => after.contents.at(place)?.replace(/./s, (byte) => (byte === 'x' ? 'y' : 'x')),
      };
      expect(isUntouched(before, { ...after, contents: others })).toBe(false);
    }
    muchLater();
    const { contents } = await list('later');
    expect(
      [0, 1, 2].map((place) => contents.at(place)),
      'no content is read',
    ).toEqual([undefined, undefined, undefined]);
    expect(isUntouched(await list('later'), after)).toBe(true);
  });

  it('are listed without reading what was written long ago, for a build that comes in any case', async () => {
    await inContext(['a=1', 'd/b=2']);
    muchLater();
    const contexts = new Contexts(store());
    expect(await contexts.list(context(), 'later', NEVER)).toBeUndefined();
    await contexts.save();
    await expect(readdir(join(folder.path, 'cache/habitus')), 'nothing learned').rejects.toThrow('ENOENT');
    contexts.lookAgain(context(), false, NEVER);
    const digests = [...(await contexts.untouched([context()], NEVER)).values()];
    expect(digests.map(({ digest }) => digest)).toEqual([await digestText()]);
    expect(await readdir(join(folder.path, 'cache/habitus/contents'))).toHaveLength(1);
  });

  it('of one folder are remembered all, though one is saved before another is listed', async () => {
    await inContext(['a=1', 'b=1', 'shared=1']);
    const both = ['b', 'a'].map((ignore) => ({ ...context(), ignore }));
    for (const content of ['1', '2']) {
      await writeFile(at('shared'), content);
      muchLater();
      const contexts = new Contexts(store());
      for (const each of both) {
        await contexts.list(each, 'now', NEVER);
        await contexts.untouched([each], NEVER);
      }
      vi.useRealTimers();
      await clockMoved(folder.path);
    }
    const [name = ''] = await readdir(join(folder.path, 'cache/habitus/contents'));
    const { paths } = StatCache.decode(await store().read('contents', name)).entries;
    expect(paths).toEqual(['a', 'b', 'shared']);
  });

  it('are looked at again when their builder has read them: what happens later is nothing to it', async () => {
    await inContext(['a=1']);
    for (const reads of [true, false]) {
      const contexts = new Contexts(store());
      await digestOf(contexts, context());
      if (reads) {
        contexts.lookAgain(context(), false, NEVER);
        await contexts.untouched([context()], NEVER);
      }
      await clockMoved(folder.path);
      await writeFile(at('a'), '2');
      expect(await contexts.untouched([context()], NEVER)).toHaveProperty('size', reads ? 1 : 0);
      contexts.lookAgain(context(), false, NEVER);
      expect(await contexts.untouched([context()], NEVER), 'read once more').toEqual(new Map());
    }
  });

  it.each(['an abort', 'the end of the session'])('are not read on after %s', async (what) => {
    await inContext(['a=1']);
    muchLater();
    const contexts = new Contexts(store());
    await contexts.list(context(), 'later', NEVER);
    const session = new AbortController();
    const readers = new ContextReaders(contexts, new Map([['app', context()]]), session.signal);
    if (what === 'an abort') session.abort();
    else await readers[Symbol.asyncDispose]();
    readers.sent('app', false);
    expect(await contexts.untouched([context()], NEVER)).toEqual(new Map());
  });

  it('are no longer written down once the session has been disposed of', async () => {
    await inContext(['a=1']);
    muchLater();
    const order: string[] = [];
    let begun = (): void => undefined;
    const writes = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const slow = store();
    const write = slow.write.bind(slow);
    slow.write = async (...given) => {
      begun();
      await write(...given);
      order.push('written');
    };
    const contexts = new Contexts(slow);
    await contexts.list(context(), 'later', NEVER);
    const readers = new ContextReaders(contexts, new Map([['app', context()]]), NEVER);
    readers.sent('app', false);
    await writes;
    await readers[Symbol.asyncDispose]();
    order.push('disposed of');
    expect(order).toEqual(['written', 'written', 'disposed of']);
  });

  it('are entries by place where no file has several names', async () => {
    await inContext(['a=1', 'd/b=2', 'l -> a']);
    const contexts = new Contexts(store());
    await digestOf(contexts, context());
    const walked = await listAll(walk(at(''), undefined, NEVER));
    const list = contexts.listed(context())?.asList();
    expect([...(list ?? [])]).toEqual(walked.map(({ entry }) => entry));
    expect(list?.paths).toEqual(walked.map(({ entry }) => entry.path));
    expect(list?.mayLink).toBe(false);
    await link(at('a'), at('same'));
    const linked = new Contexts(store());
    await digestOf(linked, context());
    expect(linked.listed(context())?.asList()).toBeUndefined();
  });

  it('are not listed again for a build that begins at once', async () => {
    vi.useFakeTimers({ toFake: ['hrtime'] });
    await inContext(['a=1', 'd/b=2', 'd/out=3', 'l -> a']);
    await link(at('a'), at('same'));
    const ignoring = { ...context(), ignore: 'd/out' };
    const listed = (of: Contexts) => [...(of.listed(ignoring)?.entries() ?? [])];
    const walked = await listAll(walk(at(''), compileIgnore('d/out'), NEVER));
    const open = async (): Promise<Contexts> => {
      const contexts = new Contexts(store());
      await digestOf(contexts, ignoring);
      return contexts;
    };
    const contexts = await open();
    expect(listed(contexts)).toEqual(walked);
    expect(contexts.listed(context()), 'never listed').toBeUndefined();
    vi.advanceTimersByTime(999);
    expect(listed(contexts)).toEqual(walked);
    vi.advanceTimersByTime(1);
    expect(contexts.listed(ignoring), 'a second later').toBeUndefined();
    const readers = await open();
    readers.keepListed(new Set());
    expect(readers.listed(ignoring), 'wanted by nobody').toBeUndefined();
    const read = await open();
    read.lookAgain(ignoring, false, NEVER);
    expect(read.listed(ignoring), 'when it was read').toBeUndefined();
    await read.settled();
  });

  it('remember contents for the next session, but not those just written', async () => {
    await inContext(['a=1']);
    const contexts = new Contexts(store());
    await digestOf(contexts, context());
    await contexts.save();
    await expect(readdir(join(folder.path, 'cache/habitus'))).rejects.toThrow('ENOENT');
    muchLater();
    await contexts.untouched([context()], NEVER);
    await contexts.save();
    const [name = ''] = await readdir(join(folder.path, 'cache/habitus/contents'));
    const known = StatCache.decode(await store().read('contents', name));
    expect(recalled(known, 'a', await lstat(at('a'), { bigint: true }))).toHaveLength(32);
  });

  it('are right whatever becomes of the memory', async () => {
    await inContext(['a=1', 'd/b=2']);
    const expected = await digestText();
    muchLater();
    const contexts = new Contexts(store());
    await digestOf(contexts, context());
    await contexts.save();
    const [name = ''] = await readdir(join(folder.path, 'cache/habitus/contents'));
    const file = join(folder.path, 'cache/habitus/contents', name);
    const whole = readFileSync(file);
    for (let place = 0; place < whole.length; place += 3) {
      const damaged = Buffer.from(whole);
      damaged[place] = (damaged[place] ?? 0) ^ 0x11;
      for (const bytes of [damaged, whole.subarray(0, place)]) {
        writeFileSync(file, bytes);
        expect((await digestOf(new Contexts(store()), context())).digest).toBe(expected);
      }
    }
  });

  it('always have the digest of their content, whatever is done to them between sessions', async () => {
    const edit = fc.tuple(
      fc.constantFrom('a', 'b', 'd/c', 'd/e'),
      fc.constantFrom('write', 'mode', 'remove', 'swap'),
      fc.nat(3),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 8 }), async (edits) => {
        await rm(folder.path, { recursive: true, force: true });
        await inContext(['a=0', 'b=1', 'd/c=2']);
        for (const [name, kind, value] of edits) {
          if (kind === 'write') writeFileSync(at(name), `${value}`);
          if (kind === 'remove') await rm(at(name), { force: true });
          if (kind === 'mode') await chmod(at(name), 0o600 + value).catch(() => undefined);
          if (kind === 'swap') await rename(at('b'), at(name)).catch(() => undefined);
          const contexts = new Contexts(store());
          const { digest: found } = await digestOf(contexts, context());
          await contexts.save();
          expect(found).toBe(await digestText());
        }
      }),
      { numRuns: 30 },
    );
  });

  it('are kept, to tell later what has changed', async () => {
    await inContext(['a=1', 'gone=1', 'mode=1', 'l -> a']);
    const contexts = new Contexts(store());
    const before = await digestOf(contexts, context());
    expect(await keptFiles(store(), before.digest)).toBeUndefined();
    await contexts.untouched([context(), context()], NEVER);
    await writeFile(at('a'), '2');
    await rm(at('gone'));
    await chmod(at('mode'), 0o755);
    await inContext(['new=1']);
    const kept = await keptFiles(store(), before.digest);
    const now = (await digest()).files();
    expect(kept && now.changesSince(kept)).toEqual([
      { path: 'a', change: 'content' },
      { path: 'mode', change: 'mode' },
      { path: 'new', change: 'added' },
      { path: 'gone', change: 'removed' },
    ]);
    expect(kept && before.files().changesSince(kept)).toEqual([]);
    expect(await keptFiles(store(), 'f'.repeat(64))).toBeUndefined();
  });
});

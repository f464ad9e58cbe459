/** Contexts that change under the reader, patterns made for slow matchers, and artifacts that want to leave their folder. */
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { followPaths } from '../../src/engine/follow-paths.js';
import { EntryList } from '../../src/tar/entry-list.js';
import { spoolArtifact, type Artifact } from '../../src/tar/artifact.js';
import type { ContextEntry } from '../../src/tar/context.js';
import { ContextError, TarError } from '../../src/tar/errors.js';
import { writeArtifact } from '../../src/tar/extract.js';
import { compileIgnore } from '../../src/tar/ignore.js';
import { openLocal } from '../../src/tar/local-file.js';
import { createContext } from '../../src/tar/overlay.js';
import { packContext } from '../../src/tar/pack.js';
import { walk } from '../../src/tar/walk.js';
import { encode, folder, member, NEVER, readAll, streamOf, type Member } from '../support/tar.js';
import { temporaryFolder } from '../support/tar-tree.js';

const root = temporaryFolder();
const at = (...names: readonly string[]): string => join(root.path, ...names);
const spooled: Artifact[] = [];

afterEach(async () => {
  for (const artifact of spooled.splice(0)) await artifact[Symbol.asyncDispose]();
});

async function spool(members: readonly Member[], source = '/d'): Promise<Artifact> {
  const made = await spoolArtifact(streamOf(encode(members)), { source, destination: '' }, NEVER);
  spooled.push(made);
  return made;
}

describe('patterns that a RegExp would take years for', () => {
  it.each([
    ['*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b', 'a'.repeat(255)],
    ['**/*a*a*a*a*a*a*a*a*a*a*a*b', `${'a/'.repeat(100)}${'a'.repeat(255)}`],
    [`${'**/*a/'.repeat(20)}b`, 'a/'.repeat(1000) + 'a'],
    [`${'**/'.repeat(5000)}*x*y*z`, 'a/'.repeat(1000) + 'a'],
    [`${'[*]'.repeat(30)}b`, '[]'.repeat(60)],
  ])('%.40s is judged at once', (pattern, path) => {
    expect(compileIgnore(pattern).ignores(path)).toBe(false);
  });

  it('match what they say, also beyond ASCII', () => {
    const matcher = compileIgnore('*a*b*c*d\n**/x*é?*z*\n[*]*[*]*q');
    const paths = ['abcd', '1a2b3c4d', 'abdc', 'p/x1é𝒳2z3', 'p/xéz', 'x\n/xé1z', '^]1[]q'];
    expect(paths.filter((path) => matcher.ignores(Buffer.from(path).toString('latin1')))).toEqual([
      'abcd',
      '1a2b3c4d',
      'p/x1é𝒳2z3',
      '^]1[]q',
    ]);
  });

  it('in COPY are followed at once, as are links that grow', () => {
    const link = (path: string, linkname: string) => member({ path, type: 'symlink', linkname }).entry;
    const entries = EntryList.of([
      link('a', 'a/b'),
      member({ path: 'a'.repeat(255) }).entry,
      link('b', '*/1'),
      link('c', '*/2'),
    ]);
    expect(followPaths(entries, ['a'])).toEqual([0, 1, 2, 3]);
    expect(followPaths(entries, ['*/x'])).toEqual([0, 1, 2, 3]);
    expect(followPaths(entries, [`${'*a'.repeat(30)}b`])).toEqual([]);
    expect(followPaths(entries, [`${'*a'.repeat(30)}?*`])).toEqual([1]);
  });
});

describe('a file of the context that changes', () => {
  const SIZE = 3 << 20;

  async function changedBy(change: () => void): Promise<unknown> {
    writeFileSync(at('file'), Buffer.alloc(SIZE));
    const stream = openLocal(root.path, member({ path: 'file', size: SIZE }).entry, NEVER);
    const pieces = stream[Symbol.asyncIterator]();
    await pieces.next();
    change();
    return (async () => {
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next());
      return undefined;
    })().catch((error: unknown) => error);
  }

  it('while it is read, to more or to less, is told by its name', async () => {
    const message = '"file" of the context changed while it was being read';
    expect(
      await changedBy(() => {
        truncateSync(at('file'), 1 << 20);
      }),
    ).toMatchObject({ message });
    expect(
      await changedBy(() => {
        truncateSync(at('file'), 2 * SIZE);
      }),
    ).toMatchObject({ message });
    expect(
      await changedBy(() => {
        rmSync(at('file'));
      }),
    ).toBeUndefined();
  });

  it.each([
    ['a pipe', () => execFileSync('mkfifo', [at('file')])],
    [
      'a link',
      () => {
        symlinkSync('/etc/passwd', at('file'));
      },
    ],
    [
      'a folder',
      () => {
        mkdirSync(at('file'));
      },
    ],
    [
      'a link to a device',
      () => {
        symlinkSync('/dev/zero', at('file'));
      },
    ],
    ['nothing', () => undefined],
  ])('into %s before it is opened is told, without waiting', async (_, become) => {
    writeFileSync(at('file'), 'content');
    const context = createContext({ directory: root.path, workDirectory: root.path, artifacts: [] });
    const entries: ContextEntry[] = [];
    for await (const entry of context.entries(NEVER)) entries.push(entry);
    rmSync(at('file'));
    become();
    const [entry] = entries;
    if (entry === undefined) throw new Error('no entry');
    await expect(readAll(context.open(entry, NEVER))).rejects.toThrow(
      '"file" of the context changed while it was being read',
    );
  });

  it('fails the whole body of the classic builder', async () => {
    writeFileSync(at('large'), Buffer.alloc(SIZE));
    const context = createContext({ directory: root.path, workDirectory: root.path, artifacts: [] });
    const { body } = packContext(
      context,
      { type: 'generated', content: Buffer.from('FROM scratch\n') },
      NEVER,
    );
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    truncateSync(at('large'), 0);
    const drained = (async () => {
      for (let next = await pieces.next(); next.done !== true; next = await pieces.next());
    })();
    await expect(drained).rejects.toThrow('"large" of the context changed while it was being read');
  });
});

describe('a context folder', () => {
  it('deeper than a path can be is told, not entered', async () => {
    const name = 'd'.repeat(200);
    execFileSync('bash', [
      '-c',
      `cd "$1" && for i in $(seq 30); do mkdir ${name} && cd ${name}; done`,
      'x',
      root.path,
    ]);
    const all = (async () => {
      for await (const { entry } of walk(root.path, undefined, NEVER)) expect(entry.type).toBe('directory');
    })();
    await expect(all).rejects.toThrow(/of the context: ENAMETOOLONG$/);
    // Node cannot remove it either.
    execFileSync('rm', ['-rf', at(name)]);
  });
});

/** Names that collide on purpose. */
const name = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('d/a', 'd/b', 'd/c', 'd/a/x', 'd/b/x', 'd/l', 'd/l/x') },
  { weight: 1, arbitrary: fc.constantFrom('d/../x', '/d/a', '../x', 'd//a', './d/b', 'd/l/../../x') },
);
const target = fc.constantFrom(
  '..',
  '../..',
  '../../canary',
  '/tmp',
  'd/a',
  'd/l',
  'a',
  '../canary/file',
  '/etc/passwd',
);
const anyEntry = fc.oneof(
  fc.record({ path: name }).map(({ path }) => member({ path }, 'evil')),
  fc.record({ path: name }).map(({ path }) => folder(path)),
  fc
    .record({ path: name, linkname: target, type: fc.constantFrom('symlink' as const, 'hardlink' as const) })
    .map((entry) => member(entry)),
  fc
    .record({ path: name, type: fc.constantFrom('fifo' as const, 'character' as const, 'block' as const) })
    .map((entry) => member(entry)),
);
/** What lies in the work directory already: links out of it. */
const present = fc.oneof(fc.constant<string[]>([]), fc.subarray<string>(['d', 'd/a', 'd/b', 'd/l']));

describe('artifacts kept in the work directory', () => {
  it('in no order of entries write outside it, whatever lies there', { timeout: 30_000 }, async () => {
    let written = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyEntry, { minLength: 1, maxLength: 6, selector: ({ entry }) => entry.path }),
        present,
        async (members, links) => {
          for (const one of ['canary', 'work']) rmSync(at(one), { recursive: true, force: true });
          mkdirSync(at('work'));
          mkdirSync(at('canary'));
          writeFileSync(at('canary', 'file'), 'safe');
          const before = lstatSync(at('canary')).mtimeMs;
          for (const link of links) {
            if (link === 'd') symlinkSync(at('canary'), at('work', 'd'));
            else if (!links.includes('d')) {
              mkdirSync(at('work', 'd'), { recursive: true });
              symlinkSync(at('canary', link === 'd/a' ? 'file' : ''), at('work', link));
            }
          }
          try {
            await writeArtifact(await spool([folder('d'), ...members]), at('work'), NEVER);
            written += 1;
          } catch (error) {
            if (!(error instanceof ContextError) && !(error instanceof TarError)) throw error;
          }
          expect(readdirSync(root.path).sort()).toEqual(['canary', 'work']);
          expect(readdirSync(at('canary'))).toEqual(['file']);
          expect(readFileSync(at('canary', 'file'), 'utf8')).toBe('safe');
          expect([lstatSync(at('canary', 'file')).nlink, lstatSync(at('canary')).mtimeMs]).toEqual([
            1,
            before,
          ]);
          const left = execFileSync('find', [at('work'), '-name', '.habitus*'], { encoding: 'utf8' });
          expect(left).toBe('');
        },
      ),
      { numRuns: 250 },
    );
    expect(written).toBeGreaterThan(10);
  });

  it('are refused with a name that no file system takes, however deep', async () => {
    await expect(spool([folder('d'), member({ path: `d${'/a'.repeat(200_000)}` })])).rejects.toThrow(
      'The artifact "/d" cannot be used: it holds a name of more than 4096 bytes, "d/a/a',
    );
  });

  it('are refused with a symlink that no file system takes', async () => {
    const link = member({ path: 'd/l', type: 'symlink', linkname: 'x'.repeat(4097) });
    await expect(spool([folder('d'), link])).rejects.toThrow(
      'The artifact "/d" cannot be used: the target of its symlink "d/l" has more than 4096 bytes',
    );
  });

  it('may have 100,000 entries in one folder', { timeout: 30_000 }, async () => {
    const members = Array.from({ length: 100_000 }, (_, i) =>
      encode([member({ path: `d/${String(i)}` })]).subarray(0, 512),
    );
    const archive = Readable.from([encode([folder('d')]).subarray(0, 512), ...members, Buffer.alloc(1024)], {
      objectMode: false,
    });
    const made = await spoolArtifact(archive, { source: '/d', destination: '' }, NEVER);
    spooled.push(made);
    expect(made.entries).toHaveLength(100_001);
  });
});

/** What a BuildKit session offers: which entries follow from COPY's paths, and credentials. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RegistryAuth } from '../../src/engine/auth.js';
import { followPaths } from '../../src/engine/follow-paths.js';
import { Offers, statOf } from '../../src/engine/fsutil.js';
import { memoryFolder } from '../../src/engine/memory-folder.js';
import { EntryList } from '../../src/tar/entry-list.js';
import { comparePaths } from '../../src/tar/paths.js';
import { folder, listAll, member, NEVER } from '../support/tar.js';

const link = (path: string, linkname: string) => member({ path, type: 'symlink', linkname }).entry;
const file = (path: string) => member({ path }).entry;
const dir = (path: string) => folder(path).entry;

const TREE = [
  link('abs', '/lib/x'),
  dir('lib'),
  file('lib/x'),
  file('lib/y'),
  link('loop', 'loop'),
  link('out', '../../lib'),
  dir('src'),
  file('src/a.c'),
  file('src/b.h'),
  dir('src/deep'),
  file('src/deep/c.c'),
];
const pathsKept = (entries: EntryList, paths: readonly string[]) =>
  followPaths(entries, paths).map((place) => entries.paths[place]);
const kept = (...paths: string[]) => pathsKept(EntryList.of(TREE), paths);

describe('following the paths of COPY', () => {
  it.each([
    [['src/*.c'], ['src', 'src/a.c']],
    [['/src/deep/'], ['src', 'src/deep', 'src/deep/c.c']],
    [['abs'], ['abs', 'lib', 'lib/x']],
    [['out/y'], ['lib', 'lib/y', 'out']],
    [['loop'], ['loop']],
    [['absent'], []],
    [['s?c/a.*'], ['src', 'src/a.c']],
    [['src/[ab].c'], ['src', 'src/a.c', 'src/b.h', 'src/deep', 'src/deep/c.c']],
  ])('%j keeps %j', (paths, expected) => {
    expect(kept(...paths)).toEqual(expected);
  });

  it('keeps everything for nothing, for the root and for **', () => {
    for (const paths of [[], ['.'], ['/'], ['**/x']]) expect(kept(...paths)).toHaveLength(TREE.length);
  });

  it('keeps what a path matches, with all that lies below it and the folders above it, and nothing else', () => {
    const names = fc.constantFrom('a', 'b', 'ab', 'a!', 'a-b');
    const paths = fc.array(fc.array(names, { minLength: 1, maxLength: 3 }), { maxLength: 12 });
    const parts = fc.array(fc.constantFrom('a', 'b', 'a!', '*', 'a*', '?', '*b'), { maxLength: 3 });
    const fits = (part: string, name: string | undefined) =>
      name !== undefined && new RegExp(`^${part.replaceAll(/[*?]/g, '.*')}$`).test(name);
    fc.assert(
      fc.property(paths, fc.array(parts, { minLength: 1, maxLength: 3 }), (all, asked) => {
        const listed = [
          ...new Set(all.flatMap((each) => each.map((_, i) => each.slice(0, i + 1).join('/')))),
        ].sort(comparePaths);
        const matched = listed.filter((path) =>
          asked.some((each) => each.every((part, i) => fits(part, path.split('/')[i]))),
        );
        const expected = listed.filter((path) => matched.some((each) => `${each}/`.startsWith(`${path}/`)));
        const found = pathsKept(
          EntryList.of(listed.map(file)),
          asked.map((each) => each.join('/')),
        );
        expect(found).toEqual(expected);
      }),
    );
  });

  it('keeps the folders of what it keeps', () => {
    const path = fc.array(fc.constantFrom('src', 'lib', 'deep', '*', '?', 'x', '..', 'out', 'loop', 'abs'), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.array(path, { maxLength: 3 }), (paths) => {
        const all = new Set(kept(...paths.map((parts) => parts.join('/'))));
        for (const name of all)
          if (name?.includes('/')) expect(all).toContain(name.slice(0, name.lastIndexOf('/')));
      }),
    );
  });

  it('makes the first hard link the file when the file was left out', () => {
    const a = member({ path: 'a' }, 'content').entry;
    const b = member({ path: 'b', type: 'hardlink', linkname: 'a' }).entry;
    const c = member({ path: 'c', type: 'hardlink', linkname: 'a' }).entry;
    const offers = new Offers(EntryList.of([a, b, c]), [1, 2]);
    expect(offers.count).toBe(2);
    expect([offers.entry(0), offers.content(0)]).toEqual([{ ...a, path: 'b' }, a]);
    expect([offers.entry(1), offers.content(1)]).toEqual([{ ...c, linkname: 'b', size: a.size }, undefined]);
  });
});

it('tells modes as Go does', () => {
  const mode = (more: object) => statOf({ ...file('x'), ...more }).mode.toString(8);
  expect(mode({ mode: 0o4755 })).toBe('40000755');
  expect(mode({ type: 'directory', mode: 0o1777 })).toBe('20004000777');
  expect(mode({ type: 'symlink', mode: 0o777 })).toBe('1000000777');
});

it('gives files from memory another time when their content is another', async () => {
  const times = ['FROM a', 'FROM b', 'FROM a'].map(async (text) => {
    const [entry] = await listAll(memoryFolder(new Map([['Dockerfile', Buffer.from(text)]])).entries(NEVER));
    return entry?.mtimeNs;
  });
  const [a, b, again] = await Promise.all(times);
  expect(again).toBe(a);
  expect(b).not.toBe(a);
});

describe('registry credentials', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'habitus-auth-'));
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  function auth(config: object, helper?: string): RegistryAuth {
    writeFileSync(join(home, 'config.json'), JSON.stringify(config));
    if (helper !== undefined) {
      writeFileSync(join(home, 'docker-credential-test'), `#!/bin/sh\n${helper}\n`);
      chmodSync(join(home, 'docker-credential-test'), 0o755);
    }
    const env = { DOCKER_CONFIG: home, PATH: `${home}:${process.env['PATH'] ?? ''}` };
    return new RegistryAuth(env, (password) => told.push(password));
  }
  const told: string[] = [];
  const encoded = Buffer.from('me:pass:word').toString('base64');

  it('come from auths, by host, and for Docker Hub by its old name', async () => {
    const known = auth({
      auths: { 'https://index.docker.io/v1/': { auth: encoded }, 'r.example:5000': { identitytoken: 'tok' } },
    });
    expect(await known.forHost('registry-1.docker.io')).toEqual({ username: 'me', secret: 'pass:word' });
    expect(await known.forHost('r.example:5000')).toEqual({ username: '', secret: 'tok' });
    expect(await known.forHost('r.example')).toBeUndefined();
    expect(told).toEqual(['pass:word', 'tok']);
  });

  it('come from helpers, which are asked by standard input', async () => {
    const helper = 'read host; echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"for $host\\"}"';
    const known = auth({ credHelpers: { 'r.example': 'test' } }, helper);
    expect(await known.forHost('r.example')).toEqual({ username: 'get', secret: 'for r.example' });
    const header = Buffer.from((await known.registryConfigHeader()) ?? '', 'base64url').toString();
    expect(JSON.parse(header)).toEqual({
      'r.example': { username: 'get', password: 'for r.example', serveraddress: 'r.example' },
    });
  });

  it('are none when a helper fails or its name is a path', async () => {
    expect(await auth({ credsStore: 'test' }, 'exit 1').forHost('r.example')).toBeUndefined();
    expect(await auth({ credsStore: '../test' }, 'echo {}').forHost('r.example')).toBeUndefined();
    expect(await auth({}).registryConfigHeader()).toBeUndefined();
  });
});

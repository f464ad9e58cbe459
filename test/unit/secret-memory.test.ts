/** What is remembered of a step's service between sessions. */
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Secret } from '../../src/core/secrets.js';
import { fingerprintOf, openServiceMemory, type ServiceRecord } from '../../src/secrets/memory.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'habitus-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const record: ServiceRecord = {
  address: '172.17.0.1',
  port: 4711,
  credentials: { user: 'u', password: 'p' },
  fingerprint: 'f',
};

describe('the memory of a service', () => {
  it('tells what was remembered last, for this user alone', async () => {
    const memory = openServiceMemory({ state: 'on', path: folder }, 'engine', '/build.yml');
    expect(await memory.recall('app')).toBeUndefined();
    await memory.remember('app', { ...record, port: 1 });
    await memory.remember('app', record);
    expect(
      await openServiceMemory({ state: 'on', path: folder }, 'engine', '/build.yml').recall('app'),
    ).toEqual(record);
    const [file = '', ...others] = await readdir(join(folder, 'services'));
    expect(others).toEqual([]);
    expect(file).toMatch(/^[0-9a-f]{64}\.json$/);
    expect((await stat(join(folder, 'services', file))).mode & 0o777).toBe(0o600);
  });

  it('remembers no credentials where the user chose them', async () => {
    const memory = openServiceMemory({ state: 'on', path: folder }, 'engine', '/build.yml');
    await memory.remember('app', { ...record, credentials: undefined });
    expect(await memory.recall('app')).toEqual({ ...record, credentials: undefined });
  });

  it('keeps engines, build files and steps apart', async () => {
    await openServiceMemory({ state: 'on', path: folder }, 'engine', '/build.yml').remember('app', record);
    for (const [engine, file, label] of [
      ['other', '/build.yml', 'app'],
      ['engine', '/other.yml', 'app'],
      ['engine', '/build.yml', 'other'],
      ['engine/build.yml', '', 'app'],
    ] as const) {
      expect(
        await openServiceMemory({ state: 'on', path: folder }, engine, file).recall(label),
      ).toBeUndefined();
    }
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{"address":"a","port":1}',
    '{"address":"a","port":0,"fingerprint":"f"}',
    '{"address":"a","port":"1","fingerprint":"f"}',
    '{"address":"a","port":1,"fingerprint":"f","credentials":{"user":"u"}}',
    '{"address":"a","port":1,"fingerprint":"f","credentials":null}',
  ])('forgets what is damaged: %s', async (text) => {
    const memory = openServiceMemory({ state: 'on', path: folder }, 'engine', '/build.yml');
    await memory.remember('app', record);
    const [file = ''] = await readdir(join(folder, 'services'));
    await writeFile(join(folder, 'services', file), text);
    expect(await memory.recall('app')).toBeUndefined();
    await memory.remember('app', record);
    expect(await memory.recall('app')).toEqual(record);
  });

  it('is no reason to fail where the folder is of no use', async () => {
    await writeFile(join(folder, 'services'), 'a file');
    const memory = openServiceMemory({ state: 'on', path: folder }, 'engine', '/build.yml');
    await memory.remember('app', record);
    expect(await memory.recall('app')).toBeUndefined();
  });
});

describe('a fingerprint', () => {
  const secret = (name: string, digest: string, type: Secret['type'] = 'env'): Secret => ({
    name,
    type,
    digest,
    value: Buffer.from('x'),
  });

  it('changes with names, types and digests, not with their order', () => {
    const [a, b] = [secret('a', '1'), secret('b', '2')];
    expect(fingerprintOf([a, b])).toBe(fingerprintOf([b, a]));
    const all = [
      [a, b],
      [a],
      [secret('a', '2'), secret('b', '1')],
      [secret('a', '1', 'file'), b],
      [secret('c', '1'), b],
    ];
    expect(new Set(all.map(fingerprintOf)).size).toBe(all.length);
  });
});

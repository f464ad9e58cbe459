import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Records, type StepRecord } from '../../src/cache/records.js';
import { CacheStore } from '../../src/cache/store.js';
import { userFolder } from '../../src/core/user-folder.js';
import { temporaryFolder } from '../support/tar-tree.js';

const folder = temporaryFolder();
const DAY = 86_400_000;
const SCOPE = { engineId: 'E', file: '/work/build.yml' };

const store = () => new CacheStore(userFolder({ XDG_CACHE_HOME: folder.path }));
const open = (scope = SCOPE) => Records.open(store(), scope);

function record(id: string, at = Date.now()): StepRecord {
  return {
    fingerprint: { id, parts: { Dockerfile: id } },
    imageId: `sha256:${id}`,
    session: 's',
    at,
    context: 'c',
  };
}

describe('records', () => {
  it('come back in the next session of the same build file and engine only', async () => {
    const records = await open();
    const made = record('f1');
    records.note('app', made);
    records.noteDuration('app', 1234);
    await records.save();
    const next = await open();
    expect(next.last('app')).toEqual(made);
    expect(next.imageOf('app', 'f1')).toBe('sha256:f1');
    expect(next.durationOf('app')).toBe(1234);
    expect(next.last('other')).toBeUndefined();
    for (const scope of [
      { ...SCOPE, engineId: 'F' },
      { ...SCOPE, file: '/work/other.yml' },
    ]) {
      expect((await open(scope)).last('app')).toBeUndefined();
    }
  });

  it('know the command that succeeded last in an image, until that image is another one', async () => {
    const records = await open();
    for (const id of ['f1', 'f2']) records.note('app', record(id));
    records.noteCommand('app', 'f1', 'sha256:f1', 'old');
    records.noteCommand('app', 'f1', 'sha256:f1', 'new');
    records.noteCommand('app', 'f2', 'sha256:other', 'of another image');
    records.noteCommand('app', 'f3', 'sha256:f3', 'of no image');
    await records.save();
    const next = await open();
    expect(['f1', 'f2', 'f3'].map((id) => next.commandOf('app', id))).toEqual(['new', undefined, undefined]);
    expect(next.imageOf('app', 'f1')).toBe('sha256:f1');
    next.note('app', record('f1'));
    expect(next.commandOf('app', 'f1')).toBeUndefined();
  });

  it('hold the images of the last eight fingerprints, latest use counting', async () => {
    const records = await open();
    for (const n of [0, 1, 2, 3, 4, 5, 6, 7, 0, 8]) records.note('app', record(`f${n}`));
    await records.save();
    const next = await open();
    expect([0, 1, 2, 8].map((n) => next.imageOf('app', `f${n}`))).toEqual([
      'sha256:f0',
      undefined,
      'sha256:f2',
      'sha256:f8',
    ]);
    expect(next.last('app')?.fingerprint.id).toBe('f8');
  });

  it('keep durations of steps that have no fingerprint', async () => {
    const records = await open();
    records.noteDuration('app', 7);
    await records.save();
    expect((await open()).durationOf('app')).toBe(7);
    expect((await open()).last('app')).toBeUndefined();
  });

  it('forget an image that is gone, and still know what it was made from', async () => {
    const records = await open();
    records.note('app', record('f1'));
    records.note('app', record('f2'));
    records.forgetImage('app', 'sha256:f2');
    records.forgetImage('app', 'sha256:other');
    await records.save();
    const next = await open();
    expect(next.imageOf('app', 'f2')).toBeUndefined();
    expect(next.imageOf('app', 'f1')).toBe('sha256:f1');
    expect(next.last('app')?.fingerprint.id).toBe('f2');
  });

  it('of two sessions at once both stay, where they are of different steps', async () => {
    const [one, two] = [await open(), await open()];
    one.note('a', record('a1'));
    one.note('both', record('one'));
    two.note('b', record('b1'));
    two.note('both', record('two'));
    await one.save();
    await two.save();
    const next = await open();
    expect(['a', 'b', 'both'].map((label) => next.last(label)?.fingerprint.id)).toEqual(['a1', 'b1', 'two']);
  });

  it('go after ninety days without use', async () => {
    const records = await open();
    records.note('old', record('f', Date.now() - 91 * DAY));
    records.note('young', record('f', Date.now() - 89 * DAY));
    await records.save();
    const next = await open();
    expect(next.last('old')).toBeUndefined();
    expect(next.last('young')).toBeDefined();
  });

  it('are written only where something is new', async () => {
    await (await open()).save();
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('are those of the last session, or none, whatever becomes of the file', async () => {
    const records = await open();
    records.note('app', record('f1'));
    await records.save();
    const [name = ''] = await readdir(join(folder.path, 'habitus/records'));
    const file = join(folder.path, 'habitus/records', name);
    const whole = readFileSync(file);
    for (let place = 0; place < whole.length; place++) {
      const flipped = Buffer.from(whole);
      flipped[place] = (flipped[place] ?? 0) ^ 1;
      for (const bytes of [flipped, whole.subarray(0, place)]) {
        writeFileSync(file, bytes);
        expect((await open()).last('app')).toBeUndefined();
      }
    }
    writeFileSync(file, whole);
    expect((await open()).imageOf('app', 'f1')).toBe('sha256:f1');
  });

  it('do without a cache folder', async () => {
    const off = new CacheStore(userFolder({}));
    const records = await Records.open(off, SCOPE);
    records.note('app', record('f1'));
    await records.save();
    expect(records.imageOf('app', 'f1')).toBe('sha256:f1');
    expect(off.problem).toContain('nothing can be remembered');
  });
});

/** The journal of a session: what its death leaves for others to read. */
import { appendFile, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endJournal, Journal, readJournals, type Unmarked } from '../../src/core/journal.js';
import { thisProcess } from '../../src/core/owner.js';
import type { UserFolder } from '../../src/core/user-folder.js';

const SESSION = '1jzk6cq3v0ab';
const IMAGE: Unmarked = { kind: 'image', id: `sha256:${'a'.repeat(64)}` };
const CONTAINER: Unmarked = { kind: 'container', id: 'b'.repeat(12) };

let folder: UserFolder & { readonly path: string };
beforeEach(async () => {
  folder = { state: 'on', path: await mkdtemp(join(tmpdir(), 'habitus-journal-')) };
});
afterEach(() => rm(folder.path, { recursive: true }));

const file = (): string => join(folder.path, 'sessions', `${SESSION}.jsonl`);

describe('a journal', () => {
  it('tells what was noted, and by whom, until its session has ended', async () => {
    const journal = new Journal(folder, SESSION, 'engine');
    expect(await readdir(folder.path)).toEqual([]);
    for (const unmarked of [CONTAINER, IMAGE, CONTAINER]) journal.note(unmarked);
    expect(readJournals(folder, 'engine')).toEqual([
      { session: SESSION, engine: 'engine', owner: thisProcess(), unmarked: [CONTAINER, IMAGE] },
    ]);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder.path, 'sessions'))).mode & 0o777).toBe(0o700);
    journal.end();
    expect(readJournals(folder, 'engine')).toEqual([]);
  });

  it('that is begun tells of its session alone, once', async () => {
    const journal = new Journal(folder, SESSION, 'engine');
    journal.begin();
    expect(readJournals(folder, 'engine')).toEqual([
      { session: SESSION, engine: 'engine', owner: thisProcess(), unmarked: [] },
    ]);
    journal.begin();
    journal.note(IMAGE);
    journal.begin();
    expect((await readFile(file(), 'utf8')).trim().split('\n')).toHaveLength(2);
    expect(readJournals(folder, 'engine')[0]?.unmarked).toEqual([IMAGE]);
  });

  it('of another engine is left to those who use that', async () => {
    new Journal(folder, SESSION, 'engine').note(IMAGE);
    expect(readJournals(folder, 'other')).toEqual([]);
    expect(readJournals(folder, 'engine')).toHaveLength(1);
    const before = new Date(Date.now() - 31 * 86_400_000);
    await utimes(file(), before, before);
    expect(readJournals(folder, 'other')).toEqual([]);
    expect(readJournals(folder, 'engine')).toEqual([]);
  });

  it('is read as far as its owner came', async () => {
    new Journal(folder, SESSION, 'engine').note(IMAGE);
    await appendFile(file(), '{"kind":"image","id":"sha2');
    expect(readJournals(folder, 'engine')[0]?.unmarked).toEqual([IMAGE]);
  });

  it.each([
    '',
    'null\n',
    '{"engine":"engine"}\n',
    '{"engine":"engine","owner":"me"}\n',
    '{"owner":"o1.aaaaaaaaaaaa.0.0.1.0"}\n',
  ])('is no journal: %j', async (text) => {
    new Journal(folder, SESSION, 'engine').note(IMAGE);
    await writeFile(file(), text);
    expect(readJournals(folder, 'engine')).toEqual([]);
  });

  it('names nothing but IDs, whatever was written into it', async () => {
    new Journal(folder, SESSION, 'engine').note(IMAGE);
    for (const id of ['app:latest', '../x', 'sha256:', 7, null]) {
      await appendFile(file(), `${JSON.stringify({ kind: 'image', id })}\n`);
    }
    await appendFile(file(), `${JSON.stringify({ kind: 'volume', id: IMAGE.id })}\n`);
    expect(readJournals(folder, 'engine')[0]?.unmarked).toEqual([IMAGE]);
  });

  it('stops no build where there is no place for it', async () => {
    await writeFile(join(folder.path, 'sessions'), 'a file');
    const journal = new Journal(folder, SESSION, 'engine');
    journal.note(IMAGE);
    journal.end();
    endJournal(folder, SESSION);
    expect(await readFile(join(folder.path, 'sessions'), 'utf8')).toBe('a file');
    new Journal({ state: 'off', reason: 'none' }, SESSION, 'engine').note(IMAGE);
    expect(readJournals({ state: 'off', reason: 'none' }, 'engine')).toEqual([]);
  });
});

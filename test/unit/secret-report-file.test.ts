/** The report of a proof: whole or not at all, and its place is looked at before anything is built. */
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkReportFile, writeReport } from '../../src/secrets/report-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'habitus-report-'));
});
afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

test('is JSON, and replaces the one before', async () => {
  const file = join(folder, 'proof.json');
  await writeReport(file, { result: 'found' });
  await writeReport(file, undefined);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ result: 'nothing to prove' });
  expect(await readdir(folder)).toEqual(['proof.json']);
});

test('a folder that is not there is an error that names the file', async () => {
  const file = join(folder, 'absent', 'proof.json');
  await expect(checkReportFile(file)).rejects.toMatchObject({
    message: expect.stringContaining(`the proof cannot be written to "${file}": ENOENT`) as string,
    hint: 'Give --proof a file in a folder that you may write to.',
  });
  await expect(writeReport(file, {})).rejects.toThrow('the proof cannot be written to');
  await expect(checkReportFile(join(folder, 'proof.json'))).resolves.toBeUndefined();
});

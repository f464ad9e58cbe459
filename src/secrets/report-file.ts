/** Writes what a proof has searched and found; nobody reads half of it. */
import { access, constants, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UsageError } from '../core/errors.js';

/** Before anything is built: a build should not end with names given and a report that cannot be written. @throws UsageError */
export async function checkReportFile(file: string): Promise<void> {
  await access(dirname(file), constants.W_OK).catch((error: unknown) => {
    throw unwritable(file, error);
  });
}

function unwritable(file: string, error: unknown): UsageError {
  const why = error instanceof Error ? error.message : String(error);
  return new UsageError(`the proof cannot be written to ${JSON.stringify(file)}: ${why}`, {
    cause: error,
    hint: 'Give --proof a file in a folder that you may write to.',
  });
}

/** @throws UsageError where the file cannot be written */
export async function writeReport(file: string, report: object | undefined): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(report ?? { result: 'nothing to prove' }, null, 2)}\n`);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw unwritable(file, error);
  }
}

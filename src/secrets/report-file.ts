/** Writes what a proof has searched and found; nobody reads half of it. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { UsageError } from '../core/errors.js';

/** @throws UsageError where the file cannot be written */
export async function writeReport(file: string, report: object | undefined): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(report ?? { result: 'nothing to prove' }, null, 2)}\n`);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`the proof cannot be written to ${JSON.stringify(file)}: ${why}`, {
      cause: error,
      hint: 'Give --proof a file in a folder that you may write to.',
    });
  }
}

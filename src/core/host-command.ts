/** Runs a command of the user's on the host and passes on what it says. */
import { LineSplitter } from './lines.js';
import { runShell } from './shell-process.js';

/**
 * @param environment added to the environment of this process
 * @returns its exit status, as `runShell`
 * @throws the signal's reason when it was aborted, once the command has ended
 */
export function runHostCommand(
  command: string,
  directory: string,
  environment: Readonly<Record<string, string>>,
  onLine: (stream: 'stdout' | 'stderr', line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  return runShell(
    { command, directory, environment: { ...process.env, ...environment }, stderr: 'pipe' },
    (child) => {
      for (const stream of ['stdout', 'stderr'] as const) {
        const lines = new LineSplitter((line) => {
          onLine(stream, line);
        });
        child[stream]?.on('data', (chunk: Buffer) => {
          lines.write(chunk);
        });
        // Not `end`: that one does not come where the output is cut off.
        child[stream]?.on('close', () => {
          lines.end();
        });
      }
    },
    signal,
  );
}

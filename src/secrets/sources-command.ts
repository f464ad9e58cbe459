/** Reads a secret from a command on the host, such as that of a password manager. */
import { runShell } from '../core/shell-process.js';

export type CommandOutput =
  | { readonly kind: 'value'; readonly value: Buffer }
  | {
      readonly kind: 'failed';
      /** 128 plus the signal's number where one ended it. */ readonly exitCode: number;
    }
  | { readonly kind: 'too-long' };

/**
 * Run a shell command line and take what it prints, without one final line break. What it says on standard error goes
 * nowhere: a command that fails may well say what it was to keep.
 * @param longest bytes; a command that prints more is stopped
 * @throws the signal's reason when it was aborted, once the command has ended
 */
export async function readCommand(
  command: string,
  directory: string,
  environment: Readonly<Record<string, string | undefined>>,
  longest: number,
  signal: AbortSignal,
): Promise<CommandOutput> {
  const chunks: Buffer[] = [];
  let size = 0;
  const exitCode = await runShell(
    { command, directory, environment, stderr: 'ignore' },
    ({ stdout }, stop) => {
      stdout?.on('data', (chunk: Buffer) => {
        size += chunk.length;
        // Room for a line break. The rest is read and thrown away, or the command could not end.
        if (size <= longest + 2) chunks.push(chunk);
        else stop();
      });
    },
    signal,
  );
  const value = withoutLineBreak(Buffer.concat(chunks));
  if (size > longest + 2 || value.length > longest) return { kind: 'too-long' };
  return exitCode === 0 ? { kind: 'value', value } : { kind: 'failed', exitCode };
}

/** Without the one that `echo` and every tool add: `\n` or `\r\n`. */
function withoutLineBreak(output: Buffer): Buffer {
  if (output.at(-1) !== 0x0a) return output;
  return output.subarray(0, output.at(-2) === 0x0d ? -2 : -1);
}

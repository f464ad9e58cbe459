/** Commands in a container that works already. */
import type { Readable } from 'node:stream';
import { EngineError } from '../core/errors.js';
import type { ExecRequest } from '../core/ports.js';
import { textOf } from './shape.js';
import type { Transport } from './transport.js';

/**
 * @param consume reads the multiplexed output to its end
 * @returns the exit code
 * @throws EngineError where the command could not be run; the signal's reason on abort, which leaves the command to whoever
 * removes the container: engines have no call that stops an exec
 */
export async function execute(
  transport: Transport,
  container: string,
  { command, user }: ExecRequest,
  consume: (output: Readable) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  const purpose = `run ${command[0] ?? 'a command'} in the container ${container.slice(0, 12)}`;
  const created = await transport.json({
    method: 'POST',
    path: `/containers/${container}/exec`,
    body: { Cmd: command, AttachStdout: true, AttachStderr: true, ...(user !== undefined && { User: user }) },
    signal,
    purpose,
  });
  const id = textOf(created, 'Id', purpose);
  const call = { purpose, signal };
  const output = await transport.stream({
    ...call,
    method: 'POST',
    path: `/exec/${id}/start`,
    body: { Detach: false, Tty: false },
  });
  try {
    await consume(output);
  } catch (error) {
    throw transport.failure(error, call);
  } finally {
    output.destroy();
  }
  const ended = await transport.json({ ...call, method: 'GET', path: `/exec/${id}/json` });
  const { ExitCode: code } = (ended ?? {}) as { ExitCode?: unknown };
  if (typeof code !== 'number')
    throw new EngineError(`The engine could not ${purpose}: the output ended before the command did`);
  return code;
}

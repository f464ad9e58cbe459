/** Serves `RUN --mount=type=ssh` to BuildKit: connects what runs there with an agent here. */
import { Readable } from 'node:stream';
import type { Call } from './grpc-call.js';
import { unary, type Handlers } from './grpc-server.js';
import { GrpcError, STATUS } from './grpc-status.js';
import { openAgent, type SshSource } from './ssh-sources.js';
import { CALLS, decodeData, decodeText, EMPTY, encodeData } from './wire.js';

const DEFAULT_ID = 'default';

/** @param sources by the mount's id */
export function sshService(sources: ReadonlyMap<string, SshSource>): Handlers {
  const sourceOf = (id: string): SshSource => {
    const source = sources.get(id);
    if (source === undefined) throw new GrpcError(STATUS.notFound, `this step has no ssh "${id}"`);
    return source;
  };
  return new Map([
    [
      CALLS.checkAgent,
      unary((request) => {
        sourceOf(decodeText(request) || DEFAULT_ID);
        return EMPTY;
      }),
    ],
    [
      CALLS.forwardAgent,
      async (call) => {
        await forward(call, sourceOf(call.header('buildkit.ssh.id')[0] || DEFAULT_ID));
      },
    ],
  ]);
}

/** Until either side ends. */
async function forward(call: Call, source: SshSource): Promise<void> {
  const agent = openAgent(source);
  const stop = (): void => {
    agent.destroy();
  };
  call.signal.addEventListener('abort', stop, { once: true });
  Readable.from(pieces(call), { objectMode: false }).on('error', stop).pipe(agent);
  try {
    for await (const data of agent) await call.send(encodeData(data as Buffer));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new GrpcError(STATUS.unavailable, `the ssh agent is gone: ${why}`);
  } finally {
    call.signal.removeEventListener('abort', stop);
    agent.destroy();
  }
}

async function* pieces(call: Call): AsyncGenerator<Buffer, void, undefined> {
  for await (const message of call.messages()) yield decodeData(message);
}

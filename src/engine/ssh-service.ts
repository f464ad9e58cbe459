/** Serves `RUN --mount=type=ssh` to BuildKit: connects what runs there with an agent here. */
import { Transform, Writable, type Duplex } from 'node:stream';
import { status, type sendUnaryData, type ServerDuplexStream, type ServerUnaryCall } from '@grpc/grpc-js';
import type { SessionService } from './session.js';
import { openAgent, type SshSource } from './ssh-sources.js';
import { Ssh, type BytesMessage } from './wire.js';

type Call = ServerDuplexStream<BytesMessage, BytesMessage>;

const DEFAULT_ID = 'default';

/** @param sources by the mount's id */
export function sshService(sources: ReadonlyMap<string, SshSource>): SessionService {
  return {
    definition: Ssh,
    handlers: {
      CheckAgent(call: ServerUnaryCall<{ ID: string }, object>, done: sendUnaryData<object>) {
        const id = call.request.ID || DEFAULT_ID;
        if (sources.has(id)) done(null, {});
        else done(unknownId(id));
      },
      ForwardAgent(call: Call) {
        const id = call.metadata.get('buildkit.ssh.id')[0]?.toString() || DEFAULT_ID;
        const source = sources.get(id);
        if (source === undefined) call.emit('error', unknownId(id));
        else forward(call, openAgent(source));
      },
    },
  };
}

function unknownId(id: string): { readonly code: status; readonly details: string } {
  return { code: status.NOT_FOUND, details: `this step has no ssh "${id}"` };
}

/**
 * Until either side ends. Not with `pipeline`, which would destroy the call where it breaks, before its status is sent: the
 * other side would wait for ever.
 */
function forward(call: Call, agent: Duplex): void {
  const received = new Transform({
    writableObjectMode: true,
    transform({ data }: BytesMessage, _encoding, done) {
      done(null, data);
    },
  });
  const sent = new Writable({
    write(data: Buffer, _encoding, done) {
      call.write({ data }, done);
    },
    final(done) {
      call.end();
      done();
    },
  });
  call.pipe(received).pipe(agent).pipe(sent);
  agent.on('error', (error) => {
    call.emit('error', { code: status.UNAVAILABLE, details: `the ssh agent is gone: ${error.message}` });
  });
  call.once('close', () => {
    agent.destroy();
  });
}

/** Serves `RUN --mount=type=secret` to BuildKit: one build's own secrets, by the mount's id. */
import { status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import type { SessionService } from './session.js';
import { Secrets } from './wire.js';

export function secretsService(secrets: ReadonlyMap<string, Buffer>): SessionService {
  return {
    definition: Secrets,
    handlers: {
      GetSecret(call: ServerUnaryCall<{ ID: string }, object>, done: sendUnaryData<{ data: Buffer }>) {
        const { ID: id } = call.request;
        const data = secrets.get(id);
        // An optional mount goes without; BuildKit makes its own sentence of this for a required one.
        if (data === undefined) done({ code: status.NOT_FOUND, details: `this step has no secret "${id}"` });
        else done(null, { data });
      },
    },
  };
}

/** Serves `RUN --mount=type=secret` to BuildKit: one build's own secrets, by the mount's id. */
import { unary, type Handlers } from './grpc-server.js';
import { GrpcError, STATUS } from './grpc-status.js';
import { CALLS, decodeText, encodeData } from './wire.js';

export function secretsService(secrets: ReadonlyMap<string, Buffer>): Handlers {
  return new Map([
    [
      CALLS.getSecret,
      unary((request) => {
        const id = decodeText(request);
        const data = secrets.get(id);
        // An optional mount goes without; BuildKit makes its own sentence of this for a required one.
        if (data === undefined) throw new GrpcError(STATUS.notFound, `this step has no secret "${id}"`);
        return encodeData(data);
      }),
    ],
  ]);
}

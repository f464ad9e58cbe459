/**
 * The messages and services of a BuildKit session, as far as they are used; field numbers are the public wire format.
 * Sources: https://github.com/moby/buildkit (session/auth, session/filesync, session/secrets, session/sshforward,
 * api/services/control), https://github.com/tonistiigi/fsutil (types), https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
import {
  fromJSON,
  type MethodDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';

/** `[number, type]`, or `[number, 'repeated', type]`. */
type Field = readonly [number, string] | readonly [number, 'repeated', string];

function message(fields: Readonly<Record<string, Field>>): object {
  const described = Object.entries(fields).map(([name, [id, first, second]]) => [
    name,
    second === undefined ? { id, type: first } : { id, rule: first, type: second },
  ]);
  return { fields: Object.fromEntries(described) as object };
}

const methods = (methods: object): object => ({ methods });
const unary = (requestType: string, responseType: string): object => ({ requestType, responseType });
const nested = (nested: object): object => ({ nested });

const FSUTIL = nested({
  // Go keeps the bytes of a `string` as they are; `bytes` is the same on the wire, and passes names that are not UTF-8.
  Stat: {
    fields: {
      path: { id: 1, type: 'bytes' },
      mode: { id: 2, type: 'uint32' },
      uid: { id: 3, type: 'uint32' },
      gid: { id: 4, type: 'uint32' },
      size: { id: 5, type: 'int64' },
      modTime: { id: 6, type: 'int64' },
      linkname: { id: 7, type: 'bytes' },
      devmajor: { id: 8, type: 'int64' },
      devminor: { id: 9, type: 'int64' },
      xattrs: { id: 10, keyType: 'string', type: 'bytes' },
    },
  },
  Packet: message({ type: [1, 'int32'], stat: [2, 'Stat'], ID: [3, 'uint32'], data: [4, 'bytes'] }),
});

const SESSION = nested({
  FileSync: methods({
    DiffCopy: {
      requestType: 'fsutil.types.Packet',
      requestStream: true,
      responseType: 'fsutil.types.Packet',
      responseStream: true,
    },
  }),
  CredentialsRequest: message({ Host: [1, 'string'] }),
  CredentialsResponse: message({ Username: [1, 'string'], Secret: [2, 'string'] }),
  GetTokenAuthorityRequest: message({ Host: [1, 'string'] }),
  GetTokenAuthorityResponse: message({}),
  Auth: methods({
    Credentials: unary('CredentialsRequest', 'CredentialsResponse'),
    GetTokenAuthority: unary('GetTokenAuthorityRequest', 'GetTokenAuthorityResponse'),
  }),
});

const SECRETS = nested({
  GetSecretRequest: message({ ID: [1, 'string'] }),
  GetSecretResponse: message({ data: [1, 'bytes'] }),
  Secrets: methods({ GetSecret: unary('GetSecretRequest', 'GetSecretResponse') }),
});

const SSH_FORWARD = nested({
  BytesMessage: message({ data: [1, 'bytes'] }),
  CheckAgentRequest: message({ ID: [1, 'string'] }),
  CheckAgentResponse: message({}),
  SSH: methods({
    CheckAgent: unary('CheckAgentRequest', 'CheckAgentResponse'),
    ForwardAgent: {
      requestType: 'BytesMessage',
      requestStream: true,
      responseType: 'BytesMessage',
      responseStream: true,
    },
  }),
});

const CONTROL = nested({
  Time: message({ seconds: [1, 'int64'], nanos: [2, 'int32'] }),
  Vertex: message({
    digest: [1, 'string'],
    name: [3, 'string'],
    cached: [4, 'bool'],
    started: [5, 'Time'],
    completed: [6, 'Time'],
    error: [7, 'string'],
  }),
  VertexLog: message({ vertex: [1, 'string'], stream: [3, 'int64'], msg: [4, 'bytes'] }),
  VertexWarning: message({ vertex: [1, 'string'], short: [3, 'bytes'] }),
  StatusRequest: message({}),
  StatusResponse: message({
    vertexes: [1, 'repeated', 'Vertex'],
    logs: [3, 'repeated', 'VertexLog'],
    warnings: [4, 'repeated', 'VertexWarning'],
  }),
  Control: methods({ Status: unary('StatusRequest', 'StatusResponse') }),
});

const HEALTH = nested({
  HealthCheckRequest: message({ service: [1, 'string'] }),
  HealthCheckResponse: message({ status: [1, 'int32'] }),
  Health: methods({ Check: unary('HealthCheckRequest', 'HealthCheckResponse') }),
});

const definitions: PackageDefinition = fromJSON(
  nested({
    fsutil: nested({ types: FSUTIL }),
    moby: nested({
      filesync: nested({ v1: SESSION }),
      buildkit: nested({ v1: CONTROL, secrets: nested({ v1: SECRETS }) }),
      sshforward: nested({ v1: SSH_FORWARD }),
    }),
    grpc: nested({ health: nested({ v1: HEALTH }) }),
  }),
  { keepCase: true, longs: String, defaults: true },
);

function service(name: string): ServiceDefinition {
  return definitions[name] as ServiceDefinition;
}

export const Health = service('grpc.health.v1.Health');
export const Auth = service('moby.filesync.v1.Auth');
export const FileSync = service('moby.filesync.v1.FileSync');
export const Secrets = service('moby.buildkit.secrets.v1.Secrets');
export const Ssh = service('moby.sshforward.v1.SSH');

/** A piece of what an ssh client and its agent say to each other. */
export interface BytesMessage {
  readonly data: Buffer;
}

/** One fsutil packet; which fields count depends on the type. */
export interface Packet {
  readonly type: number;
  readonly stat?: Stat | null;
  readonly ID?: number;
  readonly data?: Buffer;
}

export interface Stat {
  readonly path: Buffer;
  /** Go's os.FileMode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Decimal. */
  readonly size: string;
  /** Nanoseconds since the epoch, decimal. */
  readonly modTime: string;
  readonly linkname?: Buffer;
  readonly devmajor?: number;
  readonly devminor?: number;
  readonly xattrs?: Readonly<Record<string, Buffer>>;
}

export const PACKET = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const;

export interface TraceTime {
  /** Decimal. */
  readonly seconds: string;
  readonly nanos: number;
}

export interface TraceVertex {
  readonly digest: string;
  readonly name: string;
  readonly cached: boolean;
  readonly started: TraceTime | null;
  readonly completed: TraceTime | null;
  readonly error: string;
}

export interface Trace {
  readonly vertexes: readonly TraceVertex[];
  readonly logs: readonly { readonly vertex: string; readonly stream: string; readonly msg: Buffer }[];
  readonly warnings: readonly { readonly vertex: string; readonly short: Buffer }[];
}

/** Decode the progress that BuildKit sends as base64 in `aux` of `moby.buildkit.trace`. */
export function decodeTrace(base64: string): Trace {
  const status = service('moby.buildkit.v1.Control')['Status'] as MethodDefinition<object, Trace>;
  return status.responseDeserialize(Buffer.from(base64, 'base64'));
}

/**
 * The messages and calls of a BuildKit session, as far as they are used; field numbers are the public wire format.
 * Sources: https://github.com/moby/buildkit (session/auth, session/filesync, session/secrets, session/sshforward,
 * api/services/control), https://github.com/tonistiigi/fsutil (types), https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
import { bytesOf, fieldsOf, MessageWriter } from './protobuf.js';

/** Paths of the calls that the engine makes. */
export const CALLS = {
  health: '/grpc.health.v1.Health/Check',
  credentials: '/moby.filesync.v1.Auth/Credentials',
  tokenAuthority: '/moby.filesync.v1.Auth/GetTokenAuthority',
  diffCopy: '/moby.filesync.v1.FileSync/DiffCopy',
  getSecret: '/moby.buildkit.secrets.v1.Secrets/GetSecret',
  checkAgent: '/moby.sshforward.v1.SSH/CheckAgent',
  forwardAgent: '/moby.sshforward.v1.SSH/ForwardAgent',
} as const;

/** A message without fields. */
export const EMPTY = Buffer.alloc(0);

/** grpc.health.v1.HealthCheckResponse: SERVING. */
export const SERVING = new MessageWriter().number(1, 1).bytes;

/** The only field of CredentialsRequest (`Host`), GetSecretRequest and CheckAgentRequest (`ID`). */
export function decodeText(message: Buffer): string {
  return bytesOf(message, 1).toString();
}

/** The only field of GetSecretResponse and BytesMessage. Without it, 20.10 takes an empty secret for none. */
export function encodeData(data: Buffer): Buffer {
  return new MessageWriter().data(1, data).bytes;
}

/** The only field of BytesMessage, a piece of what an ssh client and its agent say to each other. */
export function decodeData(message: Buffer): Buffer {
  return bytesOf(message, 1);
}

export function encodeCredentials(username: string, secret: string): Buffer {
  return new MessageWriter().data(1, Buffer.from(username)).data(2, Buffer.from(secret)).bytes;
}

/** Fields of fsutil.types.Packet. */
export const PACKET_FIELD = { type: 1, stat: 2, id: 3, data: 4 } as const;

/** Types of packets. */
export const PACKET = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const;

/** A packet as it is received; which fields count depends on the type. */
export interface Packet {
  readonly type: number;
  readonly id: number;
}

export function decodePacket(message: Buffer): Packet {
  let [type, id] = [0, 0];
  for (const { number, value } of fieldsOf(message)) {
    if (typeof value !== 'number') continue;
    if (number === PACKET_FIELD.type) type = value;
    else if (number === PACKET_FIELD.id) id = value;
  }
  return { type, id };
}

/** fsutil.types.Stat. Go keeps the bytes of a `string` as they are: names are latin1 here. */
export interface Stat {
  readonly path: string;
  /** Go's os.FileMode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly modTime: bigint;
  readonly linkname: string | undefined;
  readonly devmajor: number;
  readonly devminor: number;
}

/** Write its fields. Extended attributes are left out: BuildKit drops them (tried on 20.10 and 28.5). */
export function writeStat(writer: MessageWriter, stat: Stat): void {
  writer
    .data(1, stat.path)
    .number(2, stat.mode)
    .number(3, stat.uid)
    .number(4, stat.gid)
    .number(5, stat.size)
    .int64(6, stat.modTime)
    .number(8, stat.devmajor)
    .number(9, stat.devminor);
  if (stat.linkname !== undefined) writer.data(7, stat.linkname);
}

export interface TraceTime {
  readonly seconds: number;
  readonly nanos: number;
}

export interface TraceVertex {
  readonly digest: string;
  readonly name: string;
  readonly cached: boolean;
  readonly started: TraceTime | undefined;
  readonly completed: TraceTime | undefined;
  readonly error: string;
}

export interface TraceLog {
  readonly vertex: string;
  /** 1 or 2, as a process has them. */
  readonly stream: number;
  readonly msg: Buffer;
}

/** moby.buildkit.v1.StatusResponse. */
export interface Trace {
  readonly vertexes: readonly TraceVertex[];
  readonly logs: readonly TraceLog[];
  /** In short, a line each. */
  readonly warnings: readonly string[];
}

/**
 * Decode the progress that BuildKit sends as base64 in `aux` of `moby.buildkit.trace`.
 * @throws Error where it is none
 */
export function decodeTrace(base64: string): Trace {
  const vertexes: TraceVertex[] = [];
  const logs: TraceLog[] = [];
  const warnings: string[] = [];
  for (const { number, value } of fieldsOf(Buffer.from(base64, 'base64'))) {
    if (typeof value === 'number') continue;
    if (number === 1) vertexes.push(decodeVertex(value));
    else if (number === 3) logs.push(decodeLog(value));
    else if (number === 4) warnings.push(bytesOf(value, 3).toString());
  }
  return { vertexes, logs, warnings };
}

function decodeVertex(message: Buffer): TraceVertex {
  const fields = new Map(Array.from(fieldsOf(message), ({ number, value }) => [number, value]));
  return {
    digest: textIn(fields, 1),
    name: textIn(fields, 3),
    cached: fields.get(4) === 1,
    started: timeIn(fields, 5),
    completed: timeIn(fields, 6),
    error: textIn(fields, 7),
  };
}

function decodeLog(message: Buffer): TraceLog {
  const fields = new Map(Array.from(fieldsOf(message), ({ number, value }) => [number, value]));
  const [stream, msg] = [fields.get(3), fields.get(4)];
  return {
    vertex: textIn(fields, 1),
    stream: typeof stream === 'number' ? stream : 0,
    msg: Buffer.isBuffer(msg) ? msg : EMPTY,
  };
}

type Fields = ReadonlyMap<number, number | Buffer>;

function textIn(fields: Fields, number: number): string {
  const value = fields.get(number);
  return Buffer.isBuffer(value) ? value.toString() : '';
}

function timeIn(fields: Fields, number: number): TraceTime | undefined {
  const value = fields.get(number);
  if (!Buffer.isBuffer(value)) return undefined;
  let [seconds, nanos] = [0, 0];
  for (const { number: part, value: count } of fieldsOf(value)) {
    if (typeof count !== 'number') continue;
    if (part === 1) seconds = count;
    else if (part === 2) nanos = count;
  }
  return { seconds, nanos };
}

/**
 * An ssh agent for keys that are held here: it lists them and signs with them, and refuses all else.
 * Source: https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent
 */
import { sign, type KeyObject } from 'node:crypto';

const KEY_TYPES = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
] as const;
export type AgentKeyType = (typeof KEY_TYPES)[number];

export function isAgentKeyType(type: string): type is AgentKeyType {
  return (KEY_TYPES as readonly string[]).includes(type);
}

export interface AgentKey {
  readonly type: AgentKeyType;
  /** As on the wire: RFC 4253, section 6.6. */
  readonly publicKey: Buffer;
  /** For people, often `user@host`. */
  readonly comment: string;
  readonly privateKey: KeyObject;
}

const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const RSA_SHA2_256 = 2;
const RSA_SHA2_512 = 4;

/** As OpenSSH's agent: no honest request is longer. */
const LONGEST_REQUEST = 256 * 1024;

/** Answers each request in turn. @throws Error when a request is longer than any should be */
export async function* serveAgent(
  received: AsyncIterable<Buffer>,
  keys: readonly AgentKey[],
): AsyncGenerator<Buffer> {
  let waiting: Buffer = Buffer.alloc(0);
  for await (const chunk of received) {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 4) {
      const end = 4 + waiting.readUInt32BE(0);
      if (end > LONGEST_REQUEST) throw new Error('the request is too long');
      if (waiting.length < end) break;
      yield string(answer(waiting.subarray(4, end), keys));
      waiting = waiting.subarray(end);
    }
  }
}

function answer(request: Buffer, keys: readonly AgentKey[]): Buffer {
  switch (request[0] ?? FAILURE) {
    case REQUEST_IDENTITIES:
      return Buffer.concat([
        Buffer.of(IDENTITIES_ANSWER),
        uint32(keys.length),
        ...keys.flatMap(({ publicKey, comment }) => [string(publicKey), string(Buffer.from(comment))]),
      ]);
    case SIGN_REQUEST: {
      const signature = signed(request.subarray(1), keys);
      return signature === undefined
        ? Buffer.of(FAILURE)
        : Buffer.concat([Buffer.of(SIGN_RESPONSE), string(signature)]);
    }
    default:
      // To add, remove or lock keys, to bind a session, or unknown.
      return Buffer.of(FAILURE);
  }
}

/** `undefined` where the request is malformed or asks for another's key. */
function signed(request: Buffer, keys: readonly AgentKey[]): Buffer | undefined {
  const publicKey = readString(request, 0);
  if (publicKey === undefined) return undefined;
  const dataAt = 4 + publicKey.length;
  const data = readString(request, dataAt);
  if (data === undefined) return undefined;
  const flagsAt = dataAt + 4 + data.length;
  if (request.length < flagsAt + 4) return undefined;
  const key = keys.find((one) => one.publicKey.equals(publicKey));
  return key === undefined ? undefined : signWith(key, data, request.readUInt32BE(flagsAt));
}

/** The signature with its format's name: RFC 4253, RFC 5656, RFC 8332, RFC 8709. */
function signWith({ type, privateKey }: AgentKey, data: Buffer, flags: number): Buffer {
  switch (type) {
    case 'ssh-ed25519':
      return signature(type, sign(null, data, privateKey));
    case 'ssh-rsa':
      if (flags & RSA_SHA2_256) return signature('rsa-sha2-256', sign('sha256', data, privateKey));
      if (flags & RSA_SHA2_512) return signature('rsa-sha2-512', sign('sha512', data, privateKey));
      return signature(type, sign('sha1', data, privateKey));
    case 'ecdsa-sha2-nistp256':
      return signature(type, signCurve('sha256', data, privateKey));
    case 'ecdsa-sha2-nistp384':
      return signature(type, signCurve('sha384', data, privateKey));
    case 'ecdsa-sha2-nistp521':
      return signature(type, signCurve('sha512', data, privateKey));
  }
}

function signature(format: string, blob: Buffer): Buffer {
  return Buffer.concat([string(Buffer.from(format)), string(blob)]);
}

function signCurve(hash: string, data: Buffer, key: KeyObject): Buffer {
  const both = sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([mpint(both.subarray(0, both.length / 2)), mpint(both.subarray(both.length / 2))]);
}

function readString(from: Buffer, at: number): Buffer | undefined {
  if (from.length < at + 4) return undefined;
  const end = at + 4 + from.readUInt32BE(at);
  return from.length < end ? undefined : from.subarray(at + 4, end);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function string(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** A number without a sign, most significant byte first. */
function mpint(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = first === -1 ? Buffer.alloc(0) : bytes.subarray(first);
  return string((short[0] ?? 0) < 0x80 ? short : Buffer.concat([Buffer.of(0), short]));
}

/** From private key files to keys that an agent can sign with; files of OpenSSH and of OpenSSL. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import ssh2 from 'ssh2';
import { UsageError } from '../core/errors.js';
import { isAgentKeyType, type AgentKey } from './key-agent.js';

export interface KeyFile {
  readonly path: string;
  /** The id that names it, for messages. */
  readonly id: string;
}

const USE_AN_AGENT = 'or load it with `ssh-add` and let this id use the agent of SSH_AUTH_SOCK.';

/** @throws UsageError without a word of the content */
export function parseKeys(content: Buffer, { path, id }: KeyFile): readonly AgentKey[] {
  const where = `${path} of ssh "${id}"`;
  const parsed = parse(content);
  if (parsed instanceof Error) {
    if (isEncrypted(content, parsed)) {
      throw new UsageError(`The private key ${where} is encrypted`, {
        hint: `Load it into an agent with \`ssh-add ${path}\`, and let this id use the agent of SSH_AUTH_SOCK.`,
      });
    }
    throw new UsageError(`${where} is no private key that can be read`, {
      hint: `Name a private key of OpenSSH, ${USE_AN_AGENT}`,
    });
  }
  return (Array.isArray(parsed) ? parsed : [parsed]).map((key) => {
    if (!key.isPrivateKey()) {
      throw new UsageError(`${where} is a public key`, {
        hint: 'Name the private key, the file without .pub.',
      });
    }
    if (!isAgentKeyType(key.type)) {
      throw new UsageError(`The private key ${where} is of the type ${key.type}, which cannot be used`, {
        hint: `Use a key of the type ed25519, ecdsa or rsa, ${USE_AN_AGENT}`,
      });
    }
    return {
      type: key.type,
      publicKey: key.getPublicSSH(),
      comment: key.comment,
      privateKey: createPrivateKey(key.getPrivatePEM()),
    };
  });
}

function parse(content: Buffer): ReturnType<typeof ssh2.utils.parseKey> {
  // OpenSSL's newer format, which ssh2 does not know.
  if (!content.includes('-----BEGIN PRIVATE KEY-----')) return ssh2.utils.parseKey(content);
  let key: KeyObject;
  try {
    key = createPrivateKey(content);
  } catch {
    return new Error('not a key');
  }
  const { asymmetricKeyType: type } = key;
  if (type === 'rsa') return ssh2.utils.parseKey(key.export({ type: 'pkcs1', format: 'pem' }));
  if (type === 'ec') return ssh2.utils.parseKey(key.export({ type: 'sec1', format: 'pem' }));
  return new Error('ssh2 takes no other type in this format');
}

function isEncrypted(content: Buffer, { message }: Error): boolean {
  return content.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || /^Encrypted /.test(message);
}

/** Bytes that hold somebody's values, for a file: only who knows the values can read them there. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

/** https://csrc.nist.gov/pubs/sp/800/38/d/final */
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * What the bytes are concealed with.
 * @param userKey of this user alone, so that nobody else can try values out
 * @param values those that are in the bytes
 */
export function concealingKey(userKey: Buffer, values: object): Buffer {
  return createHmac('sha256', userKey).update(JSON.stringify(values)).digest();
}

export function conceal(bytes: Buffer, key: Buffer): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
  const concealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), concealed]);
}

/** @returns `undefined` where the key is another, or the bytes are not as they were written */
export function reveal(concealed: Buffer, key: Buffer): Buffer | undefined {
  if (concealed.length < IV_BYTES + TAG_BYTES) return undefined;
  const iv = concealed.subarray(0, IV_BYTES);
  const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(concealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(concealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

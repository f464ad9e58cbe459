/** The contents that are searched: layers of files of one size, filled from a pool of one kind of bytes. */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const POOL = 32 << 20;
const MB = 1 << 20;

const pools = {
  random: () => randomBytes(POOL),
  /** What binaries are made of. */
  binary: () => readFileSync(process.execPath).subarray(0, POOL),
  /** Sources and documents. */
  text: () => Buffer.alloc(POOL, Buffer.concat(sources())),
  base64: () => Buffer.from(randomBytes((POOL / 4) * 3).toString('base64')),
  hex: () => Buffer.from(randomBytes(POOL / 2).toString('hex')),
  zeros: () => Buffer.alloc(POOL),
  gzip: () => gzipSync(Buffer.alloc(8 * MB, Buffer.concat(sources()))),
};

function sources() {
  const folder = new URL('../../node_modules/typescript/lib/', import.meta.url);
  return readdirSync(folder)
    .filter((name) => /^lib\..*\.d\.ts$/.test(name))
    .map((name) => readFileSync(new URL(name, folder)));
}

/** By the name shown: how the pool is filled, and bytes of each file; absent: all of the pool. */
export const CASES = {
  'random bytes, large files': { fill: pools.random },
  'binaries, large files': { fill: pools.binary },
  'text, large files': { fill: pools.text },
  'base64, large files': { fill: pools.base64 },
  'hex, large files': { fill: pools.hex },
  'zeros, large files': { fill: pools.zeros },
  'text, files of 16 KiB': { fill: pools.text, size: 16 << 10 },
  'text, files of 300 bytes': { fill: pools.text, size: 300 },
  "text, gzip'd": { fill: pools.gzip },
};

/** @param seed makes the same key each time */
function privateKey(seed) {
  const lines = Array.from({ length: 26 }, (_, index) =>
    createHash('sha512').update(`${seed} ${index}`).digest('base64').slice(0, 64),
  );
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}

export const SECRETS = {
  npm: 'npm_Zk3q9Xw7Lr2Tv8Bd5Gh1Jm4Np6Qs0Uy2Wa5',
  aws: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  jwt: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJidWlsZCJ9.q8RmYc5nKpVb2sXwLJt6fGdEoHa9uCiMzN4vBxQyTjP',
  password: 'p@ss/w0rd&more',
  key: privateKey('bench'),
};

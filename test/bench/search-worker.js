/**
 * Searches one content in a process of its own, so that its peak of memory is its own. Prints JSON.
 *
 *     node search-worker.js NAME
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { needlesOf } from '../../dist/secrets/encodings.js';
import { Matcher } from '../../dist/secrets/matcher.js';
import { searchContent } from '../../dist/secrets/search.js';
import { encodeHeader, END_MARK } from '../../dist/tar/header.js';
import { CASES, SECRETS } from './search-cases.js';

const ROUNDS = 5;
const CHUNK = 1 << 18;
const PART = 32 << 20;
const PARTS = 32;

const { fill, size } = CASES[process.argv[2]];
const { signal } = new globalThis.AbortController();
const { needles } = needlesOf(
  Object.entries(SECRETS).map(([name, value]) => ({ name, value: Buffer.from(value) })),
);
const matcher = new Matcher(needles);

/** Whole entries, of 32 MiB together or a little more. */
function entriesOf(pool) {
  const pieces = [];
  const length = size ?? pool.length;
  let bytes = 0;
  let entries = 0;
  for (; bytes < PART; entries++) {
    const from = (entries * 4099) % Math.max(1, pool.length - length);
    const path = `usr/share/things/${entries % 1000}/${entries}`;
    const entry = { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: length, mtimeNs: 0n };
    const padding = Buffer.alloc((512 - (length % 512)) % 512);
    for (const piece of [encodeHeader(entry), pool.subarray(from, from + length), padding]) {
      pieces.push(piece);
      bytes += piece.length;
    }
  }
  return { part: Buffer.concat(pieces), entries };
}

async function* layer(part) {
  for (let count = 0; count < PARTS; count++) {
    for (let at = 0; at < part.length; at += CHUNK) yield part.subarray(at, at + CHUNK);
  }
  yield END_MARK;
}

/** @returns seconds that pass, and seconds of processors' time */
async function search(part) {
  const [started, used] = [performance.now(), process.cpuUsage()];
  const { findings, limits, bytes } = await searchContent(layer(part), matcher, signal, { as: 'layer' });
  const { user, system } = process.cpuUsage(used);
  if (findings.length + limits.length > 0) throw new Error(JSON.stringify({ findings, limits }));
  return { bytes, passed: (performance.now() - started) / 1000, worked: (user + system) / 1e6 };
}

const { part, entries } = entriesOf(fill());
const rounds = [];
for (let round = 0; round < ROUNDS; round++) rounds.push(await search(part));
const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
const result = {
  rounds,
  entries: entries * PARTS,
  patterns: needles.length,
  peakMegabytes: Number(peak) / 1024,
};
console.log(JSON.stringify(result));

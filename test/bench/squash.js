/**
 * Measures squash against the least that any squash outside an engine has to do: save the image, and load the new layer.
 * Each round does both, one after the other; the middle round counts. Writes docs/benchmarks/squash.md.
 *
 *     npm run bench:squash -- unix:///path/to/docker.sock [more engines]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BASE, CASES } from './squash-cases.js';
import { peer, timed } from './squash-peer.js';

const IMAGE = 'habitus.invalid/bench:built';
const WORKER = fileURLToPath(new URL('squash-worker.js', import.meta.url));
const DOCUMENT = fileURLToPath(new URL('../../docs/benchmarks/squash.md', import.meta.url));

function worker(...args) {
  return JSON.parse(execFileSync(process.execPath, [WORKER, ...args], { maxBuffer: 1 << 20 }).toString());
}

async function build(call, lines, folder) {
  const context = join(folder, 'context');
  mkdirSync(context, { recursive: true });
  writeFileSync(join(context, 'Dockerfile'), [`FROM ${BASE}`, ...lines, ''].join('\n'));
  const file = join(folder, 'context.tar');
  execFileSync('tar', ['-C', context, '-cf', file, 'Dockerfile']);
  await call('POST', `/build?t=${IMAGE}&networkmode=none`, { file });
}

async function measure(host, { name, lines, rounds: count }) {
  const call = peer(host);
  const folder = mkdtempSync(join(tmpdir(), 'habitus-bench-'));
  const archive = join(folder, 'load.tar');
  try {
    await build(call, lines, folder);
    const { imageId } = worker(host, IMAGE, BASE, archive);
    const rounds = [];
    for (let round = 0; round < count; round++) {
      const squash = worker(host, IMAGE, BASE);
      const save = await timed(() => call('GET', `/images/${IMAGE}/get`, { keep: false }));
      const load = await timed(() => call('POST', '/images/load?quiet=1', { file: archive }));
      await call('DELETE', `/images/${imageId}?force=1`);
      const ratio = squash.seconds / (save.seconds + load.seconds);
      rounds.push({ ...squash, save: save.seconds, load: load.seconds, ratio });
    }
    rounds.sort((a, b) => a.ratio - b.ratio);
    const peak = Math.max(...rounds.map(({ peakMegabytes }) => peakMegabytes));
    return { name, ...rounds[Math.floor(count / 2)], peak, ratios: rounds.map(({ ratio }) => ratio) };
  } finally {
    await call('DELETE', `/images/${IMAGE}?force=1`).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function engineName(host) {
  const call = peer(host);
  const { Version } = JSON.parse(await call('GET', '/version'));
  const { Driver } = JSON.parse(await call('GET', '/info'));
  return `Docker ${Version}, ${Driver}`;
}

const s = (seconds) => `${seconds.toFixed(1)} s`;
const table = [
  '| Engine | Above the base | squash | save | load | squash / (save + load) | of the rounds | peak memory |',
  '| --- | --- | --: | --: | --: | --: | --: | --: |',
];

/** After each row: a run that is stopped leaves what it has measured. */
function writePage() {
  const machine = `${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const text = `# What squash costs

\`npm run bench:squash -- HOST...\` measures it and writes this page. Squash reads the image as \`docker save\` gives it, merges
what lies above the base, loads the new layer, and checks what the engine made of it. The peer makes the same two calls and
nothing else: \`GET /images/NAME/get\` to nowhere, and \`POST /images/load\` of the layer that a squash has prepared. Both run in
each of 7 rounds (1 GB: 5, small files: 3), one after the other; the round with the middle ratio is shown. Each squash has a
process of its own: its peak memory is that of the whole program, Node.js included (about 45 MB). The images are made by RUN on
\`${BASE}\`, of random content (the small files of digits); the last layer removes a part.

${table.join('\n')}

Node.js ${process.version} on ${machine}; ${new Date().toISOString().slice(0, 10)}, system load ${loadavg()[1].toFixed(1)}. Other
work on the machine changes the seconds; the ratio compares what ran at about the same time.

The goal is a ratio of 1.25. Besides the two calls, squash hashes and spools what the engine saves, while the engine sends, and
reads back and hashes what it loads, while the engine receives. Nearly half of the
processor time is SHA-256, which nothing may leave out: what was saved is checked, and the new layer's digest is its name. Of files of
16 MB and more a thread of its own does it. Where all processors are busy with other
work, these seconds take several times as long.

A step with cleanup costs more with graphdrivers: there the image as it was built is saved once more, for its config.
`;
  mkdirSync(new URL('../../docs/benchmarks/', import.meta.url), { recursive: true });
  writeFileSync(DOCUMENT, text);
}

const hosts = process.argv.slice(2);
if (hosts.length === 0) throw new Error('name the engines, e.g. unix:///var/run/docker.sock');
const engines = await Promise.all(hosts.map(async (host) => ({ host, engine: await engineName(host) })));
// The small cases of all engines first: a run may have to be stopped.
for (const each of CASES) {
  for (const { host, engine } of engines) {
    const { name, seconds, save, load, ratio, ratios, peak } = await measure(host, each);
    const range = `${ratios[0].toFixed(2)} – ${ratios.at(-1).toFixed(2)}`;
    const cells = [engine, name, s(seconds), s(save), s(load), `**${ratio.toFixed(2)}**`, range];
    table.push(`| ${[...cells, `${peak.toFixed(0)} MB`].join(' | ')} |`);
    console.log(table.at(-1));
    writePage();
  }
}

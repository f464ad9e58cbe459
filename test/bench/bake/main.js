/**
 * `npm run bench`: Habitus against its peers on one engine, the lab's Docker 28; docs/benchmarks/bake.md tells how, and is written by it.
 *
 *     npm run bench -- [--quick] [--case NAME]... [--without PEER]... [--runs N] [--out DIR]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from '../../../bin/prepare.js';
import { buildCases, CASE_NAMES, planCases } from './cases.js';
import { Engine } from './engine.js';
import { describeMachine } from './machine.js';
import { readOptions } from './options.js';
import { page } from './page.js';
import { plot } from './plot.js';

const DOCUMENTS = fileURLToPath(new URL('../../../docs/benchmarks/', import.meta.url));
/** Docker 28 with a graphdriver. */
const ENGINE = 'e28';
const PEERS = ['bake', 'compose', 'buildah'];
const RUNS = 5;
const QUICK_RUNS = 2;
/** Debian's tools: what is installed where it is missing. */
const TOOLS = [
  { program: '/usr/bin/time', package: 'time' },
  { program: 'unshare', package: 'util-linux' },
  { program: 'mkfs.ext4', package: 'e2fsprogs' },
];

const say = (line) => process.stderr.write(`${line}\n`);

async function main(args) {
  const options = readOptions(args, { cases: CASE_NAMES, peers: PEERS, out: DOCUMENTS });
  prepare();
  const { ensureTools } = await lab('packages');
  const { aloud } = await lab('say');
  await ensureTools(TOOLS, 'the benchmark measures and separates programs with them', aloud);
  const stop = new globalThis.AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, () => stop.abort(new Stopped(name)));
  const folder = mkdtempSync(join(tmpdir(), 'habitus-bench-'));
  const ends = [];
  try {
    return await measureAll(options, { folder, signal: stop.signal, atEnd: (end) => ends.push(end) });
  } finally {
    for (const end of ends) await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Stopped extends Error {}

/** The program's own modules are loaded after it was compiled. */
const lab = (name) => import(`../../../dist/lab/${name}.js`);

async function measureAll(options, kept) {
  const wanted = (name) => options.cases.length === 0 || options.cases.includes(name);
  const isWhole = options.runs === undefined && !options.quick;
  const count = options.runs ?? (options.quick ? QUICK_RUNS : RUNS);
  const builds = buildCases(options.quick).filter(({ name }) => wanted(name));
  const results = { machine: describeMachine(), count, builds: [], plans: [], startup: [] };
  const scene = await setScene({ ...kept, quick: options.quick, say }, wanted('plan') || builds.length > 0);
  Object.assign(results.machine, scene.versions);
  const write = async () => options.out !== undefined && (await writePage(options.out, results));
  const { runPlan, runStartup } = await import('./commands.js');
  if (wanted('startup')) results.startup = await runStartup(scene);
  for (const each of wanted('plan') ? planCases(options.quick) : []) {
    results.plans.push({ ...each, programs: await runPlan(each, count, scene) });
    await write();
  }
  const { runCase } = await import('./rounds.js');
  const tools = (scene.tools ?? []).filter(({ name }) => !options.without.includes(name));
  for (const each of builds) {
    say(each.title);
    const rounds = isWhole ? (each.rounds ?? count) : count;
    results.builds.push({ ...each, rounds, programs: await runCase(each, tools, rounds, scene) });
    // After each case: a run that is stopped leaves what it has measured.
    await write();
  }
  await write();
  return results;
}

/** Engine and peers are made only where they are needed. */
async function setScene(scene, withPeers) {
  const { environment, makeTools } = await import('./tools.js');
  if (!withPeers) return { ...scene, env: environment(scene.folder) };
  const { getPeers, versionsOf } = await import('./peers.js');
  const { ensureEngine } = await lab('engine');
  const { host } = await ensureEngine(ENGINE);
  const engine = new Engine(host);
  const peers = await getPeers();
  // What a killed run has left.
  await engine.removeImages();
  const tools = makeTools({ ...scene, engine, host, peers });
  for (const tool of tools) await setUp(tool);
  const versions = { engine: await engine.describe(), peers: await versionsOf(peers) };
  return { ...scene, env: environment(scene.folder, host), engine, peers, tools, versions };
}

/** A peer that cannot run on this machine is told of in each case. */
async function setUp(tool) {
  try {
    await tool.setUp?.();
  } catch (error) {
    tool.broken = error.message;
    say(`${tool.name}: ${error.message}`);
  }
}

async function writePage(folder, results) {
  // A package for development, which a quick try has no need of.
  const { format, resolveConfig } = await import('prettier');
  const style = await resolveConfig(DOCUMENTS, { editorconfig: false });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'bake.md'), await format(page(results), { ...style, parser: 'markdown' }));
  if (results.builds.length > 0) writeFileSync(join(folder, 'bake.svg'), plot(results.builds));
}

try {
  const results = await main(process.argv.slice(2));
  process.stdout.write(page(results));
  const failed = results.builds.some(({ programs }) =>
    programs.some((each) => each.name === 'habitus' && each.failed),
  );
  process.exitCode = failed ? 1 : 0;
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = error instanceof Stopped ? 128 + constants.signals[error.message] : 1;
}

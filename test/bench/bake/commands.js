/** Measures what needs no engine: how long the programs take to start, and to read and resolve large projects. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { measure } from './measure.js';
import { dockerOf } from './peers.js';
import { writeProject } from './project.js';
import { HABITUS } from './tools.js';

const STARTS = 20;
/** Seconds: what takes longer is measured once; chance has little part in it. */
const SLOW = 20;

/** @returns of each command: `{ name, runs }` */
export async function runStartup({ quick, env, folder, signal, say }) {
  say('start-up');
  const commands = [
    { name: 'node -e 0', argv: [process.execPath, '-e', '0'] },
    { name: 'habitus --version', argv: [...HABITUS, '--version'] },
    { name: 'habitus --help', argv: [...HABITUS, '--help'] },
  ];
  return inTurn(commands, quick ? 2 : STARTS, { env, cwd: folder }, { folder, signal });
}

/** @returns of each program: `name`, and the runs of a command that does nothing and of one that resolves the project */
export async function runPlan(each, count, { env, folder, peers, signal, say }) {
  say(`planning ${each.title}`);
  const project = join(folder, each.name);
  writeProject(project, 'habitus', each, '');
  const docker = dockerOf(peers);
  const commands = [
    { name: 'habitus', idle: [...HABITUS, '--version'], argv: [...HABITUS, '--print'] },
    {
      name: 'bake',
      idle: [docker, 'buildx', 'version'],
      argv: [docker, 'buildx', 'bake', '-f', 'docker-bake.hcl', '--print'],
    },
    {
      name: 'compose',
      idle: [docker, 'compose', 'version'],
      argv: [docker, 'compose', '-f', 'compose.yaml', 'config', '--quiet'],
    },
  ];
  const both = commands.flatMap(({ name, idle, argv }) => [
    { name, argv: idle },
    { name, argv },
  ]);
  try {
    const measured = await inTurn(
      both,
      count,
      { env: { ...env, BUST: '0' }, cwd: project },
      { folder, signal },
    );
    return commands.map(({ name }, i) => ({ name, idle: measured[2 * i], planned: measured[2 * i + 1] }));
  } finally {
    rmSync(project, { recursive: true });
  }
}

/** A B C A B C …; the first round is not counted, except of what is slow; who fails is left out. */
async function inTurn(commands, count, where, { folder, signal }) {
  const results = commands.map(({ name }) => ({ name, runs: [] }));
  for (let round = 0; round <= count; round++) {
    for (const [i, { argv }] of commands.entries()) {
      if (results[i].failed !== undefined || results[i].slow) continue;
      try {
        const measured = await measure({ argv, ...where }, folder, signal);
        results[i].slow = measured.wall > SLOW;
        if (round > 0 || results[i].slow) results[i].runs.push(measured);
      } catch (error) {
        signal.throwIfAborted();
        results[i] = { name: results[i].name, failed: error.message };
      }
    }
  }
  return results;
}

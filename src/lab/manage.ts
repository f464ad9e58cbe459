/** `npm run engine -- up|down|status [NAME…]`: the command line of the private engines. */

import { DEFAULT_ENGINE, engineName, specOf, type EngineName } from './catalogue.js';
import { engineStatus, ensureEngine, stopEngine, type EngineState } from './engine.js';
import { LabError, messageOf } from './error.js';
import { aloud } from './say.js';

const USAGE = 'npm run engine -- up|down|status [NAME…], where NAME is start, e20, e28 or e28c';

async function main([verb = '', ...names]: readonly string[]): Promise<void> {
  const chosen = names.length === 0 ? [DEFAULT_ENGINE] : names.map(engineName);
  switch (verb) {
    case 'up':
      for (const name of chosen) await up(name);
      return;
    case 'down':
      for (const name of chosen) await down(name);
      return;
    case 'status':
      await status(names.length === 0 ? undefined : chosen);
      return;
    default:
      throw new LabError(verb === '' ? 'say what to do' : `"${verb}" is not a command`, USAGE);
  }
}

async function up(name: EngineName): Promise<void> {
  const engine = await ensureEngine(name);
  console.log(`export DOCKER_HOST=${engine.host}   # ${name}: ${specOf(name).about}`);
}

async function down(name: EngineName): Promise<void> {
  await aloud.timed(`removing engine "${name}" and all it holds`, () => stopEngine(name));
  if (specOf(name).origin.kind === 'host') {
    aloud.line('the package docker.io stays installed; to remove it too: apt-get purge docker.io');
  }
}

async function status(chosen: readonly EngineName[] | undefined): Promise<void> {
  for (const engine of await engineStatus()) {
    if (chosen !== undefined && !chosen.includes(engine.name)) continue;
    console.log(
      `${engine.name.padEnd(6)} ${describe(engine.state).padEnd(18)} ${engine.host}  (${engine.about})`,
    );
  }
}

function describe(state: EngineState): string {
  switch (state.kind) {
    case 'absent':
      return 'absent';
    case 'stopped':
      return 'stopped';
    case 'locked':
      return 'only for root';
    case 'running':
      return `running ${state.version}`;
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const hint = error instanceof LabError ? `\n  ${error.hint}` : '';
  process.stderr.write(`error: ${messageOf(error)}${hint}\n`);
  process.exitCode = 1;
});

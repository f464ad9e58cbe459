/** The command that shows the resolved plan as JSON and builds nothing. */
import type { BuildOptions } from '../core/api.js';
import { EXIT } from '../core/errors.js';
import { describePlan } from '../config/describe.js';
import { chooseEnvironment } from '../config/interpolate.js';
import { loadPlan, type LoadOptions } from '../config/load.js';
import { renderDiagnostic } from '../config/render.js';
import { toJson } from '../report/json.js';
import type { Appearance } from './appearance.js';
import { checkWorkDirectory } from './work-directory.js';
import type { World } from './world.js';

/**
 * @returns the exit status
 * @throws {UsageError} for files or options that are wrong
 */
export async function runPrintCommand(
  options: BuildOptions,
  appearance: Appearance,
  world: World,
): Promise<number> {
  await checkWorkDirectory(options.workDirectory);
  const { plan, warnings } = await loadPlan(loadOptions(options, world));
  for (const warning of warnings) world.stderr.write(`${renderDiagnostic(warning, appearance)}\n`);
  world.stdout.write(`${toJson(describePlan(plan), 2)}\n`);
  return EXIT.ok;
}

function loadOptions(options: BuildOptions, world: World): LoadOptions {
  return {
    workDirectory: options.workDirectory ?? '.',
    ...(options.file !== undefined && { file: options.file }),
    env: chooseEnvironment(new Map(Object.entries(options.env ?? {})), world.env),
    allowUnsetEnv: options.allowUnsetEnv ?? false,
    buildArgs: new Map(Object.entries(options.buildArgs ?? {})),
    ...(options.uid !== undefined && { uid: options.uid }),
    noCache: options.noCache ?? false,
    noCleanup: options.noCleanup ?? false,
    keepAll: options.keepAll ?? false,
    allowAfterBuildCommands: options.allowAfterBuildCommands ?? false,
    ...(options.steps !== undefined && { steps: options.steps }),
  };
}

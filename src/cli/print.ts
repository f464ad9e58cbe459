/** The command that shows the resolved plan as JSON and builds nothing. */
import { EXIT } from '../core/errors.js';
import { describePlan } from '../config/describe.js';
import { planOptions } from '../config/options.js';
import { renderDiagnostic } from '../config/render.js';
import { userFolder } from '../core/user-folder.js';
import { openPlan, planMemory } from '../open-plan.js';
import { toJson } from '../report/json.js';
import type { Appearance } from './appearance.js';
import type { CommandLine } from './command-line.js';
import { isTold } from './log.js';
import { checkWorkDirectory } from './work-directory.js';
import type { World } from './world.js';

type PrintCommand = Extract<CommandLine, { command: 'print' }>;

/**
 * @returns the exit status
 * @throws {UsageError} for files or options that are wrong
 */
export async function runPrintCommand(
  { options, display }: PrintCommand,
  appearance: Appearance,
  world: World,
): Promise<number> {
  await checkWorkDirectory(options.workDirectory);
  const plans = (options.fingerprint ?? true) ? planMemory(userFolder(world.env)) : undefined;
  const { plan, warnings, remember } = await openPlan(planOptions(options, world.env), plans);
  for (const notice of display.notices.filter((notice) => isTold(notice, display))) {
    world.stderr.write(`${notice.level === 'info' ? 'note' : notice.level}: ${notice.message}\n`);
  }
  for (const warning of warnings) world.stderr.write(`${renderDiagnostic(warning, appearance)}\n`);
  world.stdout.write(`${toJson(describePlan(plan), 2)}\n`);
  // Values of secrets are not read here, so nobody knows whether one is written in it.
  const hasSecrets = options.secretEnv !== undefined || plan.steps.some(({ secrets }) => secrets.length > 0);
  if (!hasSecrets) await remember();
  return EXIT.ok;
}

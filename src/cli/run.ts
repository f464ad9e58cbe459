/** The command line, from arguments to exit status, with all that any command needs. */
import { EXIT } from '../core/errors.js';
import { chooseAppearance, type Appearance } from './appearance.js';
import { readCommandLine, type CommandLine } from './command-line.js';
import { describeFailure } from './failures.js';
import { BUILD, SUBCOMMANDS } from './grammar.js';
import { helpText } from './help.js';
import { versionText } from './version.js';
import type { World } from './world.js';

/** @returns the exit status; never rejects */
export async function runCommandLine(argv: readonly string[], world: World): Promise<number> {
  let appearance = chooseAppearance({ progress: 'auto', pretty: true }, world);
  let stack = false;
  const fail = (error: unknown): number => {
    const { text, exitCode } = describeFailure(error, { ...appearance, stack });
    world.stderr.write(`${text}\n`);
    return exitCode;
  };
  world.onCrash((error) => {
    world.exit(fail(error));
  });
  try {
    const line = readCommandLine(argv);
    if ('display' in line) {
      appearance = chooseAppearance(line.display, world);
      stack = line.display.logLevel === 'debug';
    }
    const status = await run(line, appearance, world);
    const lost = await world.flushed();
    if (lost === undefined) return status;
    const failed = fail(lost);
    return status === EXIT.ok ? failed : status;
  } catch (error) {
    return fail(error);
  }
}

async function run(line: CommandLine, appearance: Appearance, world: World): Promise<number> {
  switch (line.command) {
    case 'help':
      world.stdout.write(helpText(line.of === 'build' ? BUILD : SUBCOMMANDS[line.of]));
      return EXIT.ok;
    case 'version':
      world.stdout.write(`${versionText()}\n`);
      return EXIT.ok;
    case 'print': {
      const { runPrintCommand } = await import('./print.js');
      return await runPrintCommand(line, appearance, world);
    }
    case 'build': {
      const { runBuildCommand } = await import('./build.js');
      return await runBuildCommand(line, appearance, world);
    }
    case 'squash': {
      const { runSquashCommand } = await import('./squash.js');
      return await runSquashCommand(line, appearance, world);
    }
    case 'check-image': {
      const { runCheckImageCommand } = await import('./check-image.js');
      return await runCheckImageCommand(line, appearance, world);
    }
    case 'prove': {
      const { runProveCommand } = await import('./prove.js');
      return await runProveCommand(line, appearance, world);
    }
    case 'sessions':
    case 'gc': {
      const { runSessionCommand } = await import('./sessions.js');
      return await runSessionCommand(line, appearance, world);
    }
  }
}

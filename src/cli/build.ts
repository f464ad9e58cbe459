/** The command that builds: options to the library, events to the displays, the result to an exit status. */
import type { BuildResult } from '../core/api.js';
import { EXIT } from '../core/errors.js';
import type { BuildEvent } from '../core/events.js';
import { toJson } from '../report/json.js';
import { createReporter } from '../report/reporter.js';
import type { Appearance } from './appearance.js';
import type { CommandLine, Notice } from './command-line.js';
import { isTold, openLog } from './log.js';
import { watchSignals, type SignalWatch } from './signals.js';
import { checkWorkDirectory } from './work-directory.js';
import type { World } from './world.js';

type BuildCommand = Extract<CommandLine, { command: 'build' }>;

/**
 * @returns the exit status
 * @throws what the library throws, and UsageError for a work directory or log file that cannot be used
 */
export async function runBuildCommand(
  { options, display }: BuildCommand,
  appearance: Appearance,
  world: World,
): Promise<number> {
  await checkWorkDirectory(options.workDirectory);
  const reporter = createReporter({ ...appearance, stream: world.stderr, suppress: display.suppress });
  const tell = ({ level, message }: Notice): void => {
    reporter.emit({ at: Date.now(), type: 'notice', level, message });
  };
  let session: string | undefined;
  using watch = watchSignals(world, {
    first: (signal) => {
      tell({ level: 'info', message: `${signal}: stopping and cleaning up; a second one ends it at once` });
    },
    second: (signal) => {
      tell({ level: 'warning', message: `a second signal, ${signal}: ended at once${leftovers(session)}` });
      reporter.close();
    },
  });
  try {
    using log = await openLog(display, tell);
    display.notices.filter((notice) => isTold(notice, display)).forEach(tell);
    const emit = (event: BuildEvent): void => {
      if (event.type === 'build-started') session = event.session;
      if (event.type !== 'notice' || isTold(event, display)) reporter.emit(event);
      log.emit(event);
    };
    const { build } = await world.loadLibrary();
    try {
      const result = await build({ ...options, emit, log: log.logger, signal: watch.signal });
      reporter.finish(result);
      if (display.json) world.stdout.write(`${toJson(result)}\n`);
      return exitCodeOf(result, watch);
    } catch (error) {
      log.failed(error);
      // Whatever a stopped build rejects with, the cause is the signal.
      throw watch.interrupted ?? error;
    }
  } finally {
    reporter.close();
  }
}

function exitCodeOf({ status }: BuildResult, watch: SignalWatch): number {
  if (status === 'succeeded') return EXIT.ok;
  return watch.interrupted?.exitCode ?? EXIT.buildFailed;
}

/** What to look for after a build that could not clean up. */
function leftovers(session: string | undefined): string {
  if (session === undefined) return '';
  return (
    `; containers ("docker ps -a --filter label=habitus.session=${session}") and ` +
    `images ("docker images 127.0.0.1:1/habitus/${session}/*") may be left; ` +
    'what is left is collected by "habitus gc" and by the next build on this machine'
  );
}

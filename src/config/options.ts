/** From the options of a build to those of its plan: every default in one place. */
import { homedir } from 'node:os';
import type { BuildOptions } from '../core/api.js';
import type { LoadOptions } from './load.js';
import { chooseEnvironment } from './interpolate.js';

/** @param processVariables what `_env()` sees where the options give no `env` */
export function planOptions(
  options: BuildOptions,
  processVariables: Readonly<Record<string, string | undefined>>,
): LoadOptions {
  return {
    workDirectory: options.workDirectory ?? '.',
    ...(options.file !== undefined && { file: options.file }),
    env: chooseEnvironment(new Map(Object.entries(options.env ?? {})), processVariables),
    allowUnsetEnv: options.allowUnsetEnv ?? false,
    buildArgs: new Map(Object.entries(options.buildArgs ?? {})),
    ...(options.uid !== undefined && { uid: options.uid }),
    noCache: options.noCache ?? false,
    noCleanup: options.noCleanup ?? false,
    keepAll: options.keepAll ?? false,
    allowAfterBuildCommands: options.allowAfterBuildCommands ?? false,
    secrets: {
      providers: options.secrets?.providers ?? ['file', 'env'],
      allowCommands: options.secrets?.allowCommands ?? false,
    },
    home: homedir(),
    ...(options.steps !== undefined && { steps: options.steps }),
  };
}

/** What a command line asks for: flags turned into one of the commands. Pure. */
import type { BuildOptions } from '../core/api.js';
import type { ReporterKind } from '../report/reporter.js';
import type { FlagName, FlagValues } from './flags.js';
import { given } from './given.js';
import { BUILD, SUBCOMMANDS, type Subcommand } from './grammar.js';
import { readImageCommandLine, type ImageCommandLine } from './image-command-line.js';
import { readWords } from './program.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type CommandLine =
  | { readonly command: 'help'; readonly of: 'build' | Subcommand }
  | { readonly command: 'version' }
  | ImageCommandLine
  | { readonly command: 'print'; readonly options: BuildOptions; readonly display: Display }
  | { readonly command: 'build'; readonly options: BuildOptions; readonly display: Display };

export interface Display {
  readonly progress: 'auto' | ReporterKind;
  readonly pretty: boolean;
  readonly suppress: boolean;
  /** Print the result as JSON on standard output. */
  readonly json: boolean;
  readonly logLevel: LogLevel | undefined;
  readonly logFile: string | undefined;
  readonly notices: readonly Notice[];
}

/** Something to say about the command line itself, before the build. */
export interface Notice {
  readonly level: 'info' | 'warning';
  readonly message: string;
}

/** @throws {UsageError} */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const [first = '', ...rest] = argv;
  if (isSubcommand(first)) return readImageCommandLine(first, rest);
  const { flags } = readWords(BUILD, argv);
  if (flags.help === true) return { command: 'help', of: 'build' };
  if (flags.version === true) return { command: 'version' };
  return {
    command: flags.print === true ? 'print' : 'build',
    options: buildOptions(flags),
    display: {
      progress: flags.progress ?? 'auto',
      pretty: flags.pretty ?? true,
      suppress: flags.suppress ?? false,
      json: flags.json ?? false,
      logLevel: flags['log-level'] ?? (flags.level === undefined ? undefined : LEVELS[flags.level]),
      logFile: flags['log-file'] === '' ? undefined : flags['log-file'],
      notices: notices(flags),
    },
  };
}

function isSubcommand(word: string): word is Subcommand {
  return Object.hasOwn(SUBCOMMANDS, word);
}

const LEVELS = {
  debug: 'debug',
  info: 'info',
  notice: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'error',
} as const satisfies Record<NonNullable<FlagValues['level']>, LogLevel>;

function buildOptions(flags: FlagValues): BuildOptions {
  return given({
    workDirectory: flags.d,
    file: flags.f,
    env: flags.env,
    allowUnsetEnv: flags['allow-unset-env'],
    buildArgs: flags.build,
    uid: flags.uid,
    noCache: flags['no-cache'],
    noCleanup: flags['no-cleanup'],
    keepBuildCache: flags['keep-build-cache'],
    keepAll: flags['keep-all'],
    keepArtifacts: flags['keep-artifacts'],
    steps: flags.step,
    jobs: flags.jobs,
    keepGoing: flags['keep-going'],
    builder: flags.builder,
    network: flags.network,
    limits: given({
      memory: flags['docker-memory'],
      cpusetCpus: flags['docker-cpuset-cpus'],
      cpuShares: flags['docker-cpu-shares'],
    }),
    removeContainers: flags.rm,
    forceRemoveImages: flags['force-rmi'],
    noPruneImages: flags['noprune-rmi'],
    allowAfterBuildCommands: flags['after-build-commands'],
    engine: given({ host: flags.host, certs: flags.certs, tls: flags['use-tls'] }),
  });
}

const NEEDLESS = ['use-stat', 'os'] as const satisfies readonly FlagName[];

const UNSERVED = [
  'secrets',
  'sec-providers',
  'port',
  'binding',
  'authentication-secret-server',
  'user-secret-server',
  'password-secret-server',
] as const satisfies readonly FlagName[];

function notices(flags: FlagValues): Notice[] {
  const used = (names: readonly FlagName[]): readonly string[] =>
    names.filter((name) => flags[name] !== undefined).map((name) => `--${name}`);
  const needless = used(NEEDLESS);
  const unserved = used(UNSERVED);
  const has = (names: readonly string[]): string => (names.length === 1 ? 'has' : 'have');
  return [
    ...(needless.length === 0
      ? []
      : [
          {
            level: 'info',
            message: `${and(needless)} ${needless.length === 1 ? 'is' : 'are'} no longer needed`,
          } as const,
        ]),
    ...(unserved.length === 0
      ? []
      : [
          {
            level: 'warning',
            message: `${and(unserved)} ${has(unserved)} no effect: secrets are not served yet`,
          } as const,
        ]),
  ];
}

function and(words: readonly string[]): string {
  return new Intl.ListFormat('en-GB').format(words);
}

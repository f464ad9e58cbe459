/** What a command line asks for: flags turned into one of the commands. Pure. */
import type { BuildOptions, SecretOptions } from '../core/api.js';
import { UsageError } from '../core/errors.js';
import type { ReporterKind } from '../report/reporter.js';
import type { FlagValues } from './flags.js';
import { given } from './given.js';
import {
  BUILD,
  IMAGE_COMMANDS,
  SESSION_COMMANDS,
  type ImageCommand,
  type SessionCommand,
  type Subcommand,
} from './grammar.js';
import { readImageCommandLine, type ImageCommandLine } from './image-command-line.js';
import { readWords } from './program.js';
import { readSessionCommandLine, type SessionCommandLine } from './session-command-line.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type CommandLine =
  | { readonly command: 'help'; readonly of: 'build' | Subcommand }
  | { readonly command: 'version' }
  | ImageCommandLine
  | SessionCommandLine
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
  if (isImageCommand(first)) return readImageCommandLine(first, rest);
  if (isSessionCommand(first)) return readSessionCommandLine(first, rest);
  const asked = readOriginalWords(first, rest);
  if (asked !== undefined) return asked;
  const { flags } = readWords(BUILD, argv);
  if (flags.help === true) return { command: 'help', of: 'build' };
  if (flags.version === true) return { command: 'version' };
  refuseContradictions(flags);
  return {
    command: flags.print === true ? 'print' : 'build',
    options: buildOptions(flags),
    display: {
      progress: flags.progress ?? 'auto',
      pretty: flags.pretty ?? true,
      suppress: flags.suppress ?? false,
      json: flags.json ?? false,
      logLevel: flags['log-level'] ?? (flags.level ? LEVELS[flags.level] : undefined),
      logFile: flags['log-file'] === '' ? undefined : flags['log-file'],
      notices: notices(flags),
    },
  };
}

/** The original took two flags as words, too. */
function readOriginalWords(first: string, [of, ...more]: readonly string[]): CommandLine | undefined {
  if (more.length > 0) return undefined;
  if (first === 'version' && of === undefined) return { command: 'version' };
  if (first !== 'help') return undefined;
  if (of === undefined) return { command: 'help', of: 'build' };
  return isImageCommand(of) || isSessionCommand(of) ? { command: 'help', of } : undefined;
}

function isImageCommand(word: string): word is ImageCommand {
  return Object.hasOwn(IMAGE_COMMANDS, word);
}

function isSessionCommand(word: string): word is SessionCommand {
  return Object.hasOwn(SESSION_COMMANDS, word);
}

const LEVELS = {
  debug: 'debug',
  info: 'info',
  notice: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'error',
} as const satisfies Record<Exclude<FlagValues['level'], undefined | ''>, LogLevel>;

function buildOptions(flags: FlagValues): BuildOptions {
  return given({
    workDirectory: flags.d,
    file: flags.f,
    env: flags.env,
    allowUnsetEnv: flags['allow-unset-env'],
    buildArgs: flags.build,
    uid: flags.uid,
    noCache: flags['no-cache'],
    pull: flags.pull,
    fingerprint: flags['no-fingerprint'] === undefined ? undefined : !flags['no-fingerprint'],
    explain: flags.explain,
    noCleanup: flags['no-cleanup'],
    keepBuildCache: flags['keep-build-cache'],
    keepAll: flags['keep-all'],
    keepArtifacts: flags['keep-artifacts'],
    steps: flags.step,
    jobs: flags.jobs,
    keepGoing: flags['keep-going'],
    timeoutMs: flags.timeout,
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
    secrets: secretOptions(flags),
    secretEnv: flags['secret-env'],
    proof: flags['no-proof'] === undefined ? undefined : !flags['no-proof'],
    proofBase: flags['proof-base'],
    proofFile: flags.proof,
    engine: given({ host: flags.host, certs: flags.certs, tls: flags['use-tls'] }),
  });
}

/** It stands in Dockerfiles that were written for `--authentication-secret-server` alone. */
const ORIGINAL_PASSWORD = 'admin';

function secretOptions(flags: FlagValues): SecretOptions {
  const {
    'sec-providers': providers,
    'authentication-secret-server': authentication,
    'password-secret-server': password,
    secrets,
  } = flags;
  const wanted = providers === undefined || providers.length === 0 ? undefined : providers;
  return given({
    binding: flags.binding,
    port: flags.port,
    user: flags['user-secret-server'],
    password: password || (authentication === true ? ORIGINAL_PASSWORD : undefined),
    authentication,
    allowCommands: flags['allow-secret-commands'],
    providers: secrets === false ? [] : wanted,
  });
}

/** @throws {UsageError} */
function refuseContradictions(flags: FlagValues): void {
  const contradictions = [
    [flags['no-proof'] === true && given({ file: flags.proof }).file !== undefined, '--no-proof and --proof'],
    [flags['no-proof'] === true && flags['proof-base'] === true, '--no-proof and --proof-base'],
    [
      flags.secrets === false && flags['allow-secret-commands'] === true,
      '--secrets=false and --allow-secret-commands',
    ],
  ] as const;
  for (const [given, both] of contradictions) {
    if (given) throw new UsageError(`${both} contradict each other`, { hint: 'Leave one of them out.' });
  }
}

/** Switches that say what is so by itself, what is of no use any more, and a password that everybody knows. */
function notices(flags: FlagValues): Notice[] {
  const needless = [
    ...(flags.secrets === true ? ['--secrets'] : []),
    ...(flags['use-stat'] === undefined ? [] : ['--use-stat']),
    ...(flags.os === undefined ? [] : ['--os']),
  ];
  const are = needless.length === 1 ? 'is' : 'are';
  const isKnown = flags['authentication-secret-server'] === true && !flags['password-secret-server'];
  return [
    ...(needless.length === 0
      ? []
      : [{ level: 'info', message: `${and(needless)} ${are} no longer needed` } as const]),
    ...(isKnown ? [{ level: 'warning', message: KNOWN_PASSWORD } as const] : []),
  ];
}

const KNOWN_PASSWORD =
  `--authentication-secret-server: the password of the secrets service is "${ORIGINAL_PASSWORD}", as it always was; ` +
  'choose one with --password-secret-server, or leave both out for another in each step';

function and(words: readonly string[]): string {
  return new Intl.ListFormat('en-GB').format(words);
}

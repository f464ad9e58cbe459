/** Every flag of the program, in the order of the help text. */
import { many, pairs, single, toggle, type Flag, type Group } from './flag.js';
import {
  anyText,
  bytes,
  cpuList,
  duration,
  oneOf,
  port,
  providers,
  unlessEmpty,
  userName,
  variableName,
  wholeNumber,
} from './values.js';

export const GROUPS = {
  build: 'What to build:',
  manner: 'How to build:',
  secrets: 'Secrets:',
  keep: 'What stays:',
  show: 'What is shown:',
  engine: 'The engine:',
  other: 'From earlier versions, without effect in this one:',
} as const satisfies Record<Group, string>;

export const FLAGS = {
  d: single('DIR', anyText, { group: 'build', help: 'work directory (default: the current one)' }),
  f: single('FILE', anyText, {
    group: 'build',
    help: 'build file (default: build.yml in the work directory)',
  }),
  step: many('LABEL', anyText, {
    group: 'build',
    help: 'build only this step and what it needs; repeatable',
  }),
  env: pairs({
    group: 'build',
    help: 'for _env(), instead of the environment; repeatable',
  }),
  'allow-unset-env': toggle({ group: 'build', help: 'read unset variables in _env() as empty' }),
  build: pairs({ group: 'build', help: 'build arg for every step; repeatable' }),
  uid: single('ID', anyText, { group: 'build', help: 'append -ID to every image name' }),
  print: toggle({ group: 'build', help: 'print the resolved plan as JSON and build nothing' }),

  jobs: single('N', wholeNumber(1), {
    group: 'manner',
    short: 'j',
    help: 'at most N steps at once (default: four a processor)',
  }),
  'keep-going': toggle({
    group: 'manner',
    help: 'after a failure, build what does not depend on it',
  }),
  timeout: single('DURATION', duration, {
    group: 'manner',
    help: 'limit of the whole build, such as 90s or 1h30m',
  }),
  builder: single('NAME', oneOf('auto', 'classic', 'buildkit'), {
    group: 'manner',
    help: 'auto, classic or buildkit (default: auto)',
  }),
  'no-cache': toggle({ group: 'manner', help: 'use no build cache' }),
  pull: toggle({ group: 'manner', help: 'fetch the base images anew from their registries' }),
  'no-fingerprint': toggle({ group: 'manner', help: 'build steps even where nothing has changed' }),
  explain: toggle({ group: 'manner', help: 'say of each step why it is built' }),
  'no-cleanup': toggle({ group: 'manner', help: 'skip the cleanup commands and the squash' }),
  'keep-build-cache': toggle({
    group: 'manner',
    help: "keep BuildKit's cache of what a squash removed",
  }),
  'after-build-commands': toggle({
    group: 'manner',
    help: 'allow after_build_command, which runs on this machine',
  }),
  network: single('MODE', anyText, { group: 'manner', help: 'network mode of RUN (default: default)' }),
  'docker-memory': single('BYTES', unlessEmpty(bytes), {
    group: 'manner',
    help: 'memory limit of RUN, such as 512m',
  }),
  'docker-cpuset-cpus': single('CPUS', unlessEmpty(cpuList), {
    group: 'manner',
    help: 'CPUs that RUN may use, such as 0-3',
  }),
  'docker-cpu-shares': single('N', wholeNumber(0), { group: 'manner', help: 'relative CPU weight of RUN' }),

  secrets: toggle({ group: 'secrets', help: 'serve those that steps declare (default: true)' }),
  'sec-providers': single('LIST', providers, {
    group: 'secrets',
    help: 'types of secrets that are read (default: file,env)',
  }),
  'allow-secret-commands': toggle({
    group: 'secrets',
    help: 'allow secrets that a command on this machine prints',
  }),
  'secret-env': many('NAME', variableName, {
    group: 'secrets',
    help: 'variable whose value counts as secret; repeatable',
  }),
  binding: single('ADDRESS', anyText, {
    group: 'secrets',
    help: 'address of the service (default: one RUN reaches)',
  }),
  port: single('N', port, { group: 'secrets', help: 'its port (default: any free one)' }),
  'user-secret-server': single('NAME', userName, {
    group: 'secrets',
    help: 'its user (default: another for each step)',
  }),
  'password-secret-server': single('WORD', anyText, {
    group: 'secrets',
    help: 'its password (default: another for each step)',
  }),
  'authentication-secret-server': toggle({
    group: 'secrets',
    help: 'Dockerfiles send it by themselves (default: admin)',
  }),
  proof: single('FILE', anyText, {
    group: 'secrets',
    help: 'write what the proof has searched and found, as JSON',
  }),
  'no-proof': toggle({ group: 'secrets', help: 'do not search what stays for secrets' }),
  'proof-base': toggle({ group: 'secrets', help: 'search the base layers as well' }),

  'keep-all': toggle({ group: 'keep', help: 'keep every image, also those only steps use' }),
  'keep-artifacts': toggle({ group: 'keep', help: 'leave the artifacts in the work directory' }),
  rm: toggle({ group: 'keep', help: 'remove the containers of RUN (default: true)' }),
  'force-rm': toggle({ group: 'keep', help: 'also after a failure: always done' }),
  'force-rmi': toggle({ group: 'keep', help: 'remove unwanted images even when in use' }),
  'noprune-rmi': toggle({ group: 'keep', help: 'keep untagged parents of unwanted images' }),

  progress: single('KIND', oneOf('auto', 'tty', 'plain', 'json', 'quiet'), {
    group: 'show',
    help: 'auto, tty, plain, json or quiet (default: auto)',
  }),
  suppress: toggle({ group: 'show', help: 'hide what builds and commands print' }),
  pretty: toggle({ group: 'show', help: 'colour and live view on a terminal (default: true)' }),
  json: toggle({ group: 'show', help: 'print the result as JSON on standard output' }),
  'log-file': single('FILE', anyText, { group: 'show', help: 'append diagnostics to FILE, as JSON lines' }),
  'log-level': single('LEVEL', oneOf('debug', 'info', 'warn', 'error'), {
    group: 'show',
    help: 'the least that is told: debug, info, warn or error (default: info)',
  }),
  level: single('LEVEL', unlessEmpty(oneOf('debug', 'info', 'notice', 'warning', 'error', 'critical')), {
    group: 'show',
    help: 'the same in the words of earlier versions',
  }),
  help: toggle({ group: 'show', short: 'h', help: 'print this text' }),
  version: toggle({ group: 'show', help: 'print the version' }),

  host: single('URL', anyText, {
    group: 'engine',
    help: 'as DOCKER_HOST, such as unix:///var/run/docker.sock',
  }),
  certs: single('DIR', anyText, { group: 'engine', help: 'folder of TLS certificates, as DOCKER_CERT_PATH' }),
  'use-tls': toggle({ group: 'engine', help: 'speak TLS and check it, as DOCKER_TLS_VERIFY' }),

  'use-stat': toggle({ group: 'other', help: 'no longer needed' }),
  os: single('NAME', anyText, { group: 'other', help: 'no longer needed' }),
} as const;

export type FlagName = keyof typeof FLAGS;

/** The flags that were given, by name. */
export type FlagValues = {
  readonly [Name in FlagName]?: (typeof FLAGS)[Name] extends Flag<infer Value> ? Value : never;
};

/** The flags as a list that forgets the types of their values. */
export const FLAG_LIST = Object.entries(FLAGS) as readonly (readonly [FlagName, Flag<unknown>])[];

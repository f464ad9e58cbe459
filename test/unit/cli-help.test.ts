import { describe, expect, test } from 'vitest';
import { chooseAppearance } from '../../src/cli/appearance.js';
import { FLAG_LIST } from '../../src/cli/flags.js';
import { helpText } from '../../src/cli/help.js';
import { displayWidth } from '../../src/report/width.js';

const HELP = [
  'Usage: habitus [-d DIR] [-f FILE] [flags]',
  '',
  'Builds the Docker images of a build.yml: steps in parallel, each after what it needs.',
  '',
  'What to build:',
  '  -d DIR                          work directory (default: the current one)',
  '  -f FILE                         build file (default: build.yml in the work directory)',
  '  --step LABEL                    build only this step and what it needs; repeatable',
  '  --env KEY=VALUE                 for _env(), instead of the environment; repeatable',
  '  --allow-unset-env               read unset variables in _env() as empty',
  '  --build KEY=VALUE               build arg for every step; repeatable',
  '  --uid ID                        append -ID to every image name',
  '  --print                         print the resolved plan as JSON and build nothing',
  '',
  'How to build:',
  '  -j, --jobs N                    at most N steps at once (default: four a processor)',
  '  --keep-going                    after a failure, build what does not depend on it',
  '  --timeout DURATION              limit of the whole build, such as 90s or 1h30m',
  '  --builder NAME                  auto, classic or buildkit (default: auto)',
  '  --no-cache                      use no build cache',
  '  --pull                          fetch the base images anew from their registries',
  '  --no-fingerprint                build steps even where nothing has changed',
  '  --explain                       say of each step why it is built',
  '  --no-cleanup                    skip the cleanup commands and the squash',
  "  --keep-build-cache              keep BuildKit's cache of what a squash removed",
  '  --after-build-commands          allow after_build_command, which runs on this machine',
  '  --network MODE                  network mode of RUN (default: default)',
  '  --docker-memory BYTES           memory limit of RUN, such as 512m',
  '  --docker-cpuset-cpus CPUS       CPUs that RUN may use, such as 0-3',
  '  --docker-cpu-shares N           relative CPU weight of RUN',
  '',
  'Secrets:',
  '  --secrets                       serve those that steps declare (default: true)',
  '  --sec-providers LIST            types of secrets that are read (default: file,env)',
  '  --allow-secret-commands         allow secrets that a command on this machine prints',
  '  --secret-env NAME               variable whose value counts as secret; repeatable',
  '  --binding ADDRESS               address of the service (default: one RUN reaches)',
  '  --port N                        its port (default: any free one)',
  '  --user-secret-server NAME       its user (default: another for each step)',
  '  --password-secret-server WORD   its password (default: another for each step)',
  '  --authentication-secret-server  Dockerfiles send it by themselves (default: admin)',
  '  --proof FILE                    write what the proof has searched and found, as JSON',
  '  --no-proof                      do not search what stays for secrets',
  '  --proof-base                    search the base layers as well',
  '',
  'What stays:',
  '  --keep-all                      keep every image, also those only steps use',
  '  --keep-artifacts                leave the artifacts in the work directory',
  '  --rm                            remove the containers of RUN (default: true)',
  '  --force-rm                      also after a failure: always done',
  '  --force-rmi                     remove unwanted images even when in use',
  '  --noprune-rmi                   keep untagged parents of unwanted images',
  '',
  'What is shown:',
  '  --progress KIND                 auto, tty, plain, json or quiet (default: auto)',
  '  --suppress                      hide what builds and commands print',
  '  --pretty                        colour and live view on a terminal (default: true)',
  '  --json                          print the result as JSON on standard output',
  '  --log-file FILE                 append diagnostics to FILE, as JSON lines',
  '  --log-level LEVEL               the least that is told: debug, info, warn or error',
  '                                  (default: info)',
  '  --level LEVEL                   the same in the words of earlier versions',
  '  -h, --help                      print this text',
  '  --version                       print the version',
  '',
  'The engine:',
  '  --host URL                      as DOCKER_HOST, such as unix:///var/run/docker.sock',
  '  --certs DIR                     folder of TLS certificates, as DOCKER_CERT_PATH',
  '  --use-tls                       speak TLS and check it, as DOCKER_TLS_VERIFY',
  '',
  'From earlier versions, without effect in this one:',
  '  --use-stat                      no longer needed',
  '  --os NAME                       no longer needed',
  '',
  'Flags may be written with one dash or two, values after a space or "=": -d DIR, --d=DIR.',
  'Switches take a value only after "=": --rm=false.',
  '',
  'Progress goes to standard error; standard output is for results (--json, --print).',
  'Exit status: 0 when every step succeeded, 1 when one failed or time was up, 2 when the',
  'command line or a file is wrong, 3 when no engine answers, 129, 130 or 143 when stopped',
  'by a signal.',
  '',
  'Other commands, each with a --help of its own:',
  "  habitus squash IMAGE             make one layer of an image's layers",
  '  habitus check-image IMAGE        compute every digest and size of an image anew',
  '  habitus prove IMAGE              search an image for secrets',
  '  habitus sessions                 list what builds hold on the engine',
  '  habitus gc                       remove what dead builds have left there',
  '',
  'Examples:',
  '  habitus                          build everything in the current directory',
  '  habitus -d app --uid $BUILD_ID   build app/build.yml for one CI job',
  '  habitus --step api -j 4          build api and what it needs, four steps at once',
  '  habitus --json > result.json     keep the result for another program',
];

describe('the help text', () => {
  test('reads as follows', () => {
    expect(helpText().trimEnd().split('\n')).toEqual(HELP);
  });

  test('stays under 90 columns', () => {
    for (const line of helpText().split('\n')) expect(displayWidth(line)).toBeLessThan(90);
  });

  test('names every flag', () => {
    const help = helpText();
    for (const [name] of FLAG_LIST) expect(help).toMatch(new RegExp(`^  (-., )?--?${name}( |$)`, 'm'));
  });
});

describe('the display', () => {
  const choose = (
    { progress = 'auto', pretty = true, isTTY = true }: Partial<Case> = {},
    env: Record<string, string> = {},
  ) => chooseAppearance({ progress, pretty }, { stderr: { write: () => true, isTTY }, env });
  interface Case {
    readonly progress: 'auto' | 'plain' | 'tty';
    readonly pretty: boolean;
    readonly isTTY: boolean;
  }

  test('is the live view in colour on a terminal', () => {
    expect(choose()).toEqual({ kind: 'tty', color: true });
  });

  test('is plain without colour anywhere else', () => {
    expect(choose({ isTTY: false })).toEqual({ kind: 'plain', color: false });
    expect(choose({}, { TERM: 'dumb' })).toEqual({ kind: 'plain', color: false });
    expect(choose({ pretty: false })).toEqual({ kind: 'plain', color: false });
  });

  test('is plain under CI, in colour where that is wanted', () => {
    expect(choose({}, { CI: 'true' })).toEqual({ kind: 'plain', color: true });
    expect(choose({ isTTY: false }, { FORCE_COLOR: '1' })).toEqual({ kind: 'plain', color: true });
  });

  test('has no colour where NO_COLOR is set to anything', () => {
    expect(choose({}, { NO_COLOR: '0' })).toEqual({ kind: 'tty', color: false });
    expect(choose({}, { NO_COLOR: '' })).toEqual({ kind: 'tty', color: true });
  });

  test('is what was asked for', () => {
    expect(choose({ progress: 'tty', isTTY: false }).kind).toBe('tty');
    expect(choose({ progress: 'plain' }).kind).toBe('plain');
  });
});

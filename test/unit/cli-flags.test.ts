import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCommandLine } from '../../src/cli/command-line.js';
import { FLAG_LIST } from '../../src/cli/flags.js';
import { normalizeGoFlags } from '../../src/cli/go-flags.js';
import { boolean, bytes, keyValue } from '../../src/cli/values.js';
import { UsageError } from '../../src/core/errors.js';

const KNOWN = new Map([
  ['d', { name: 'd', metavar: 'DIR' }],
  ['uid', { name: 'uid', metavar: 'ID' }],
  ['j', { name: 'jobs', metavar: 'N' }],
  ['jobs', { name: 'jobs', metavar: 'N' }],
  ['no-cache', { name: 'no-cache' }],
]);

function read(...argv: string[]) {
  const line = readCommandLine(argv);
  if (line.command !== 'build' && line.command !== 'print')
    throw new Error(`${argv.join(' ')} means ${line.command}`);
  return line;
}

/** The message and the hint of the error, as two lines. */
function errorOf(...argv: string[]): string {
  try {
    readCommandLine(argv);
  } catch (error) {
    if (error instanceof UsageError) return [error.message, error.hint ?? ''].join('\n').trimEnd();
    throw error;
  }
  throw new Error(`${argv.join(' ')} is accepted`);
}

describe('normalizeGoFlags', () => {
  test.each([
    [['-d', 'DIR'], ['--d=DIR']],
    [['--d', 'DIR'], ['--d=DIR']],
    [['-d=DIR'], ['--d=DIR']],
    [['--d=DIR'], ['--d=DIR']],
    [['-uid=abc'], ['--uid=abc']],
    [['-uid='], ['--uid=']],
    [['-uid=a=b'], ['--uid=a=b']],
    [['-uid', 'a\nb'], ['--uid=a\nb']],
    [['-uid', '-x'], ['--uid=-x']],
    [['-no-cache'], ['--no-cache=true']],
    [['--no-cache=false'], ['--no-cache=false']],
    [['-j4'], ['--jobs=4']],
    [['-j', '4'], ['--jobs=4']],
    [['-no-cach'], ['-no-cach']],
    [
      ['-dir', 'x'],
      ['-dir', 'x'],
    ],
    [
      ['word', '-no-cache'],
      ['word', '--no-cache=true'],
    ],
    [
      ['--', '-d', 'x'],
      ['--', '-d', 'x'],
    ],
  ])('%j becomes %j', (argv, normal) => {
    expect(normalizeGoFlags(argv, KNOWN)).toEqual(normal);
  });

  const written = fc.tuple(
    fc.constantFrom('-', '--'),
    fc.constantFrom('=', ' '),
    fc.string({ unit: 'binary' }),
  );

  test('every spelling of a flag with a value means the same', () => {
    fc.assert(
      fc.property(written, ([dashes, joint, value]) => {
        fc.pre(joint === '=' || !value.startsWith('-'));
        const argv = joint === '=' ? [`${dashes}uid=${value}`] : [`${dashes}uid`, value];
        expect(normalizeGoFlags(argv, KNOWN)).toEqual([`--uid=${value}`]);
      }),
    );
  });

  test('what is normal stays as it is', () => {
    fc.assert(
      fc.property(fc.array(written), (flags) => {
        const argv = flags.map(([, , value]) => `--uid=${value}`);
        expect(normalizeGoFlags(argv, KNOWN)).toEqual(argv);
      }),
    );
  });
});

describe('values', () => {
  test.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('%s is true', (text) => {
    expect(boolean.parse(text)).toBe(true);
  });
  test.each(['0', 'f', 'F', 'FALSE', 'false', 'False'])('%s is false', (text) => {
    expect(boolean.parse(text)).toBe(false);
  });
  test.each(['', 'yes', 'tRUE', '2', ' true'])('%j is neither true nor false', (text) => {
    expect(boolean.parse(text)).toBeUndefined();
  });

  test.each([
    ['1024', 1024],
    ['512m', 512 * 1024 ** 2],
    ['512M', 512 * 1024 ** 2],
    ['512MiB', 512 * 1024 ** 2],
    ['1.5g', 1.5 * 1024 ** 3],
    ['2kb', 2048],
    ['7b', 7],
  ])('%s is %d bytes', (text, size) => {
    expect(bytes.parse(text)).toBe(size);
  });
  test.each(['', 'm', '-1', '5x', '1e3', '99999999t'])('%j is no number of bytes', (text) => {
    expect(bytes.parse(text)).toBeUndefined();
  });

  test('a key ends at the first "=", whatever the value holds', () => {
    const key = fc.string({ minLength: 1 }).filter((text) => !text.includes('='));
    fc.assert(
      fc.property(key, fc.string({ unit: 'binary' }), (name, value) => {
        expect(keyValue.parse(`${name}=${value}`)).toEqual([name, value]);
      }),
    );
  });
});

describe('the command line', () => {
  test('without flags asks for a build with every default left to the library', () => {
    expect(read()).toEqual({
      command: 'build',
      options: { limits: {}, secrets: {}, engine: {} },
      display: {
        progress: 'auto',
        pretty: true,
        suppress: false,
        json: false,
        logLevel: undefined,
        logFile: undefined,
        notices: [],
      },
    });
  });

  test('takes every flag of a build', () => {
    const argv =
      '-d app -f x.yml -step api --step web -env A=1=2 -env B= -allow-unset-env -build V=3 -uid 7 -j 4 -keep-going -timeout 1h30m ' +
      '-builder classic -no-cache -pull -no-cleanup -keep-build-cache -after-build-commands -network host -docker-memory 512m ' +
      '-docker-cpuset-cpus 0-3,6 -docker-cpu-shares 512 -keep-all -keep-artifacts --rm=false -force-rm -force-rmi ' +
      '-noprune-rmi -sec-providers env,file -allow-secret-commands -secret-env A -secret-env B -binding 10.0.0.1 -port 0 ' +
      '-user-secret-server me -password-secret-server a=b -proof p.json -no-proof=f -proof-base -host tcp://10.0.0.2:2376 -certs /certs -use-tls';
    expect(read(...argv.split(' ')).options).toEqual({
      workDirectory: 'app',
      file: 'x.yml',
      steps: ['api', 'web'],
      env: { A: '1=2', B: '' },
      allowUnsetEnv: true,
      buildArgs: { V: '3' },
      uid: '7',
      jobs: 4,
      keepGoing: true,
      timeoutMs: 5_400_000,
      builder: 'classic',
      noCache: true,
      pull: true,
      noCleanup: true,
      keepBuildCache: true,
      allowAfterBuildCommands: true,
      network: 'host',
      limits: { memory: 512 * 1024 ** 2, cpusetCpus: '0-3,6', cpuShares: 512 },
      keepAll: true,
      keepArtifacts: true,
      removeContainers: false,
      forceRemoveImages: true,
      noPruneImages: true,
      secrets: {
        providers: ['env', 'file'],
        allowCommands: true,
        binding: '10.0.0.1',
        port: 0,
        user: 'me',
        password: 'a=b',
      },
      secretEnv: ['A', 'B'],
      proof: true,
      proofFile: 'p.json',
      proofBase: true,
      engine: { host: 'tcp://10.0.0.2:2376', certs: '/certs', tls: true },
    });
  });

  test('takes every flag of the display', () => {
    const argv = '-progress json -suppress -pretty=f -json -log-file x.log -log-level debug';
    expect(read(...argv.split(' ')).display).toEqual({
      progress: 'json',
      pretty: false,
      suppress: true,
      json: true,
      logLevel: 'debug',
      logFile: 'x.log',
      notices: [],
    });
  });

  test.each([
    ['debug', 'debug'],
    ['notice', 'info'],
    ['warning', 'warn'],
    ['critical', 'error'],
  ])('-level %s means --log-level %s', (level, logLevel) => {
    expect(read('-level', level).display.logLevel).toBe(logLevel);
  });

  test('the last of two values counts', () => {
    expect(read('-no-cache', '-no-cache=false', '-uid', 'a', '-uid', 'b').options).toMatchObject({
      noCache: false,
      uid: 'b',
    });
  });

  test('takes an empty value as none, as CI jobs with unset variables write it', () => {
    expect(read('-uid=', '-host', '').options).toEqual({
      limits: {},
      secrets: {},
      engine: {},
    });
  });

  test('takes keys that JavaScript has a meaning for', () => {
    const { env } = read('-env', '__proto__=x', '-env', 'constructor=y').options;
    expect(Object.entries(env ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  test.each([['-h'], ['-help'], ['--help']])('%s asks for help, whatever else is said', (flag) => {
    expect(readCommandLine(['-d', 'x', flag])).toEqual({ command: 'help', of: 'build' });
  });

  test('--version asks for the version, --print for the plan', () => {
    expect(readCommandLine(['-version'])).toEqual({ command: 'version' });
    expect(readCommandLine(['--print']).command).toBe('print');
  });

  test('says once which flags are no longer needed', () => {
    const argv = ['-use-stat', '-os', 'alpine', '-os', 'debian', '-secrets'];
    expect(read(...argv)).toMatchObject({
      display: {
        notices: [
          {
            level: 'info',
            message: '--secrets, --use-stat and --os are no longer needed',
          },
        ],
      },
    });
    expect(read('-os=x').display.notices).toEqual([{ level: 'info', message: '--os is no longer needed' }]);
  });

  test('authentication alone has the password that it always had, and says so', () => {
    const alone = read('-authentication-secret-server', '-password-secret-server=');
    expect(alone.options.secrets).toEqual({ authentication: true, password: 'admin' });
    expect(alone.display.notices).toEqual([
      {
        level: 'warning',
        message:
          '--authentication-secret-server: the password of the secrets service is "admin", as it always was; ' +
          'choose one with --password-secret-server, or leave both out for another in each step',
      },
    ]);
    const chosen = read('-authentication-secret-server', '-password-secret-server=x');
    expect(chosen.options.secrets).toEqual({ authentication: true, password: 'x' });
    expect(chosen.display.notices).toEqual([]);
    expect(read('-authentication-secret-server=false').options.secrets).toEqual({ authentication: false });
  });

  test('takes variables that are not set for what is not given', () => {
    const { options, display } = read('-docker-memory=', '-docker-cpuset-cpus', '', '-level=');
    expect(options.limits).toEqual({});
    expect(display.logLevel).toBeUndefined();
  });

  test('takes words in any case', () => {
    expect(read('-level=DEBUG').display.logLevel).toBe('debug');
    expect(read('--builder=BuildKit').options.builder).toBe('buildkit');
  });

  test('takes the words of the original for help and version', () => {
    expect(readCommandLine(['version'])).toEqual({ command: 'version' });
    expect(readCommandLine(['help'])).toEqual({ command: 'help', of: 'build' });
    expect(readCommandLine(['help', 'squash'])).toEqual({ command: 'help', of: 'squash' });
    expect(() => readCommandLine(['help', 'me'])).toThrow('unexpected argument "help"');
    expect(() => readCommandLine(['version', '-d', 'x'])).toThrow('unexpected argument "version"');
  });

  test('--secrets=false allows no type of secret, an empty list of types says nothing', () => {
    expect(read('-secrets=false').options.secrets).toEqual({ providers: [] });
    expect(read('-secrets=false', '-sec-providers=file').options.secrets).toEqual({ providers: [] });
    expect(read('-sec-providers=').options.secrets).toEqual({});
    expect(read('-sec-providers', ' file , env').options.secrets).toEqual({ providers: ['file', 'env'] });
  });

  test('--no-proof goes without a proof', () => {
    expect(read('--no-proof', '--proof=').options).toMatchObject({ proof: false });
    expect(read().options).not.toHaveProperty('proof');
  });
});

describe('errors of the command line', () => {
  test.each([
    [['-no-cach'], 'unknown flag "-no-cach"\nDid you mean --no-cache? "habitus --help" lists all flags.'],
    [
      ['--progess=json'],
      'unknown flag "--progess"\nDid you mean --progress? "habitus --help" lists all flags.',
    ],
    [['-x'], 'unknown flag "-x"\n"habitus --help" lists all flags.'],
    [['--frobnicate', 'y'], 'unknown flag "--frobnicate"\n"habitus --help" lists all flags.'],
    [['-jobs', '0'], '--jobs takes a whole number from 1, not "0"'],
    [
      ['--timeout=10'],
      '--timeout takes a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "10"',
    ],
    [
      ['--timeout=0s'],
      '--timeout takes a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "0s"',
    ],
    [
      ['--timeout=-1m'],
      '--timeout takes a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "-1m"',
    ],
    [
      ['--timeout='],
      '--timeout takes a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not ""',
    ],
    [
      ['--timeout=99999999999999d'],
      '--timeout takes a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "99999999999999d"',
    ],
    [['-j4x'], 'unknown flag "-j4x"\n"habitus --help" lists all flags.'],
    [['--no-cache=maybe'], '--no-cache takes true or false, not "maybe"'],
    [['-builder', 'kaniko'], '--builder takes auto, classic or buildkit, not "kaniko"'],
    [['-env', 'HOME'], '--env takes KEY=VALUE, not "HOME"'],
    [['-build', '=x'], '--build takes KEY=VALUE, not "=x"'],
    [
      ['-docker-memory', 'lots'],
      '--docker-memory takes bytes, or a number with the unit b, k, m or g, such as 512m, not "lots"',
    ],
    [['-docker-cpuset-cpus', '0-'], '--docker-cpuset-cpus takes CPU numbers such as 0-3 or 0,2, not "0-"'],
    [['-port', '65536'], '--port takes a port from 0 to 65535, not "65536"'],
    [
      ['-sec-providers', 'vault'],
      '--sec-providers takes file, env, or both with a comma between, not "vault"',
    ],
    [['-secret-env', 'npm_a8=x'], '--secret-env takes the name of a variable, not what was given'],
    [['-user-secret-server', 'me:pw'], '--user-secret-server takes a name without ":", not what was given'],
    [['--no-proof', '--proof', 'x'], '--no-proof and --proof contradict each other\nLeave one of them out.'],
    [
      ['--no-proof', '--proof-base'],
      '--no-proof and --proof-base contradict each other\nLeave one of them out.',
    ],
    [
      ['--secrets=false', '--allow-secret-commands'],
      '--secrets=false and --allow-secret-commands contradict each other\nLeave one of them out.',
    ],
    [['-d'], '-d needs a value\nWrite -d DIR, or -d=DIR.'],
    [['-uid', '-no-cache'], '-uid needs a value, but the flag -no-cache follows\nWrite -uid ID, or -uid=ID.'],
    [
      ['compile'],
      'unexpected argument "compile": everything is said with flags\n' +
        'Use "-d compile" for a work directory, "--step compile" for one step of the build file.',
    ],
    [
      ['-rm', 'false'],
      'unexpected argument "false": everything is said with flags\n' +
        'Join a switch and its value with "=", such as --rm=false.',
    ],
    [
      ['--', '-d'],
      'unexpected argument "-d": everything is said with flags\n' +
        'Use "-d -d" for a work directory, "--step -d" for one step of the build file.',
    ],
  ])('%j', (argv, message) => {
    expect(errorOf(...argv)).toBe(message);
  });

  test('any words give a command or a UsageError', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(...FLAG_LIST.flatMap(([name]) => [`-${name}`, `--${name}`, `--${name}=1`])),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
        try {
          expect(['build', 'print', 'help', 'version']).toContain(readCommandLine(argv).command);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});

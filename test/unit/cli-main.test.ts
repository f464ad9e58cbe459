import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fakeLibrary } from '../support/fake-library.js';
import { main } from '../../src/cli/main.js';
import type { StopSignal, World } from '../../src/cli/world.js';
import { ConfigError } from '../../src/config/diagnostic.js';
import type { Build, BuildOptions, BuildResult } from '../../src/core/api.js';
import { OutputError } from '../../src/cli/streams.js';
import { EngineError, TimeoutError } from '../../src/core/errors.js';
import { EventEmitter } from 'node:events';

const ID = 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

const RESULT: BuildResult = {
  session: '1k3m9q2abcde',
  status: 'succeeded',
  durationMs: 12_400,
  steps: [
    {
      label: 'api',
      imageName: 'api:latest',
      status: 'succeeded',
      durationMs: 840,
      imageId: ID,
      names: ['api:latest'],
    },
  ],
};

const SUMMARY =
  '\n✓  api  840 ms  api:latest  9f86d081884c\n\n✓ built 1 image in 12.4 s (session 1k3m9q2abcde)\n';

class Gate {
  readonly opened: Promise<void>;
  open: () => void = () => undefined;
  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}

function fakeWorld(build: Build, env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const exits: number[] = [];
  const crashes: ((error: unknown) => void)[] = [];
  const signals = new EventEmitter();
  const world: World = {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    env,
    signals,
    onCrash: (listener) => crashes.push(listener),
    exit: (code) => exits.push(code),
    flushed: () => Promise.resolve(undefined),
    openStdout: () => new PassThrough(),
    loadLibrary: () => Promise.resolve(fakeLibrary({ build })),
  };
  return {
    world,
    signals,
    exits,
    crash: (error: unknown) => {
      for (const listener of crashes) listener(error);
    },
    send: (signal: StopSignal) => signals.emit(signal),
    out: () => out.join(''),
    err: () => err.join(''),
  };
}

const succeeds: Build = () => Promise.resolve(RESULT);
const rejects =
  (error: unknown): Build =>
  () =>
    Promise.resolve().then(() => {
      throw error;
    });

/** Works until it is aborted, then is `cancelled`. */
function stoppable() {
  const begun = new Gate();
  const cleaned = new Gate();
  const build: Build = async ({ signal, emit }) => {
    emit?.({
      at: 0,
      type: 'build-started',
      session: RESULT.session,
      engine: 'Docker 28.5.2',
      builder: 'buildkit',
      jobs: 2,
      steps: [{ label: 'api', dependsOn: [] }],
    });
    begun.open();
    if (signal?.aborted === false) {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
    }
    await cleaned.opened;
    return { ...RESULT, status: 'cancelled', steps: [] };
  };
  return { build, begun, cleaned };
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'habitus-cli-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

describe('results and exit statuses', () => {
  test('a good build exits with 0, tells it on standard error and keeps standard output clean', async () => {
    const { world, out, err } = fakeWorld(succeeds);
    expect(await main([], world)).toBe(0);
    expect(out()).toBe('');
    expect(err()).toBe(SUMMARY);
  });

  test('--json prints the whole result as one object on standard output', async () => {
    const { world, out } = fakeWorld(succeeds);
    expect(await main(['--json'], world)).toBe(0);
    expect(JSON.parse(out())).toEqual(RESULT);
  });

  test('a failed build exits with 1, its result printed all the same', async () => {
    const { world, out } = fakeWorld(() => Promise.resolve({ ...RESULT, status: 'failed' }));
    expect(await main(['-json'], world)).toBe(1);
    expect(JSON.parse(out())).toMatchObject({ status: 'failed' });
  });

  test('the library gets the options, a log and a signal', async () => {
    let got: BuildOptions = {};
    const { world } = fakeWorld((options) => {
      got = options;
      return succeeds(options);
    });
    await main(['-d', folder, '-no-cache'], world);
    expect(got).toMatchObject({ workDirectory: folder, noCache: true });
    expect(got.signal?.aborted).toBe(false);
    expect(Object.keys(got.log ?? {})).toEqual(['debug', 'info', 'warn', 'error']);
  });

  test('--version prints the version of the package', async () => {
    const { world, out } = fakeWorld(succeeds);
    expect(await main(['--version'], world)).toBe(0);
    expect(out()).toMatch(/^habitus \d+\.\d+\.\d+(?:-[a-z]+\.\d+)?\n$/);
  });
});

describe('errors', () => {
  test('a wrong command line exits with 2 and says what to do', async () => {
    const { world, err } = fakeWorld(succeeds);
    expect(await main(['-no-cach'], world)).toBe(2);
    expect(err()).toBe(
      'error: unknown flag "-no-cach"\n  → Did you mean --no-cache? "habitus --help" lists all flags.\n',
    );
  });

  test('a work directory that is not there exits with 2', async () => {
    const { world, err } = fakeWorld(succeeds);
    expect(await main(['-d', '/no/such/folder'], world)).toBe(2);
    expect(err()).toBe(
      'error: the work directory "/no/such/folder" does not exist\n  → Give an existing folder with -d DIR.\n',
    );
  });

  test('a file as the work directory exits with 2', async () => {
    const file = join(folder, 'build.yml');
    await writeFile(file, '');
    const { world, err } = fakeWorld(succeeds);
    expect(await main(['-d', file], world)).toBe(2);
    expect(err()).toBe(
      `error: the work directory ${JSON.stringify(file)} is not a folder\n  → A build file is named with -f: -f ${file}.\n`,
    );
  });

  test('problems of the files are all shown, each at its place', async () => {
    const place = { line: 3, column: 5, length: 4, text: '    nmae: app' };
    const error = new ConfigError([
      {
        severity: 'error',
        message: 'unknown key "nmae"',
        file: '/p/build.yml',
        place,
        hint: 'did you mean "name"?',
      },
      { severity: 'error', message: 'there is no Dockerfile', file: '/p/Dockerfile' },
    ]);
    const { world, err } = fakeWorld(rejects(error));
    expect(await main([], world)).toBe(2);
    expect(err()).toContain('build.yml:3:5: error: unknown key "nmae"\n');
    expect(err()).toContain(
      'Dockerfile: error: there is no Dockerfile\n\nerror: 2 problems; nothing was built\n',
    );
  });

  test('an engine that does not answer exits with 3', async () => {
    const error = new EngineError('no engine answers at unix:///run/x.sock', { hint: 'Start Docker.' });
    const { world, err } = fakeWorld(rejects(error));
    expect(await main([], world)).toBe(3);
    expect(err()).toBe('error: no engine answers at unix:///run/x.sock\n  → Start Docker.\n');
  });

  test('what nobody expected exits with 70, without its stack', async () => {
    const { world, err } = fakeWorld(rejects(new TypeError('x is not a function')));
    expect(await main([], world)).toBe(70);
    expect(err()).toBe(
      'error: this is a bug in habitus: x is not a function\n' +
        '  → Run it again with "--log-level debug" and report what it prints.\n',
    );
  });

  test('--log-level debug shows the stack of a bug', async () => {
    const { world, err } = fakeWorld(rejects(new TypeError('x is not a function')));
    expect(await main(['--log-level', 'debug'], world)).toBe(70);
    expect(err()).toContain('\nTypeError: x is not a function\n    at ');
  });

  test('an error that nobody caught ends the process with 70', async () => {
    const { world, err, exits, crash } = fakeWorld(succeeds);
    await main([], world);
    crash(new Error('lost'));
    expect(exits).toEqual([70]);
    expect(err()).toContain('error: this is a bug in habitus: lost\n');
  });

  test('with --progress json the error is a JSON line too', async () => {
    const { world, err } = fakeWorld(
      rejects(new EngineError('no engine answers', { hint: 'Start Docker.' })),
    );
    expect(await main(['-progress', 'json'], world)).toBe(3);
    expect(JSON.parse(err())).toMatchObject({
      type: 'error',
      exitCode: 3,
      message: 'error: no engine answers\n  → Start Docker.',
    });
  });

  test('control characters in messages are made harmless', async () => {
    const { world, err } = fakeWorld(rejects(new EngineError('bad \u001b[2J\u0007 name')));
    await main([], world);
    expect(err()).toBe('error: bad \u2407 name\n');
  });
});

describe('time that was up before the first step', () => {
  const late = new TimeoutError('the build took longer than 1s', { hint: 'Give it more time.' });

  test('is an error with status 1', async () => {
    const { world, err, out } = fakeWorld(rejects(late));
    expect(await main(['--timeout', '1s', '--json'], world)).toBe(1);
    expect([err(), out()]).toEqual(['error: the build took longer than 1s\n  → Give it more time.\n', '']);
  });

  test('is a JSON line with --progress json', async () => {
    const { world, err } = fakeWorld(rejects(late));
    expect(await main(['--timeout', '1s', '--progress', 'json'], world)).toBe(1);
    expect(JSON.parse(err())).toMatchObject({ type: 'error', exitCode: 1 });
  });
});

describe('a result that cannot be written', () => {
  const lost = {
    flushed: () => Promise.resolve(new OutputError('standard output cannot be written: ENOSPC')),
  };

  test('is an error with status 1', async () => {
    const { world, err } = fakeWorld(succeeds);
    expect(await main(['--json'], { ...world, ...lost })).toBe(1);
    expect(err()).toBe(`${SUMMARY}error: standard output cannot be written: ENOSPC\n`);
  });

  test('leaves the status of a build that was stopped as it is', async () => {
    const { build, begun, cleaned } = stoppable();
    const { world, send } = fakeWorld(build);
    const running = main(['--json'], { ...world, ...lost });
    await begun.opened;
    send('SIGTERM');
    cleaned.open();
    expect(await running).toBe(143);
  });
});

describe('signals', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('the first %s stops the build in order and exits with %d', async (signal, code) => {
    const { build, begun, cleaned } = stoppable();
    const { world, send, err, exits, signals } = fakeWorld(build);
    const running = main([], world);
    await begun.opened;
    send(signal);
    expect(err()).toContain(`note: ${signal}: stopping and cleaning up; a second one ends it at once\n`);
    cleaned.open();
    expect(await running).toBe(code);
    expect(exits).toEqual([]);
    expect(signals.eventNames()).toEqual([]);
  });

  test('the second signal ends the process at once and says what may be left', async () => {
    const { build, begun, cleaned } = stoppable();
    const { world, send, err, exits } = fakeWorld(build);
    const running = main([], world);
    await begun.opened;
    send('SIGINT');
    send('SIGTERM');
    expect(exits).toEqual([143]);
    expect(err()).toContain(
      'warning: a second signal, SIGTERM: ended at once; ' +
        'containers ("docker ps -a --filter label=habitus.session=1k3m9q2abcde") and ' +
        'images ("docker images 127.0.0.1:1/habitus/1k3m9q2abcde/*") may be left; ' +
        'what is left is collected by "habitus gc" and by the next build on this machine\n',
    );
    cleaned.open();
    await running;
  });

  test.each([
    { name: 'SIGTERM after SIGHUP', sent: ['SIGHUP', 'SIGTERM'], exited: [143] },
    { name: 'SIGHUP, which comes twice by itself,', sent: ['SIGHUP', 'SIGHUP'], exited: [] },
    { name: 'SIGHUP, which systemd sends after SIGTERM,', sent: ['SIGTERM', 'SIGHUP'], exited: [] },
    { name: 'the echo of a SIGINT', sent: ['SIGINT', 99, 'SIGINT'], exited: [] },
    { name: 'a second SIGINT', sent: ['SIGINT', 100, 'SIGINT'], exited: [130] },
  ] as const)('$name ends the process at once: $exited', async ({ sent, exited }) => {
    vi.useFakeTimers({ toFake: ['hrtime'] });
    const { build, begun, cleaned } = stoppable();
    const { world, send, exits } = fakeWorld(build);
    const running = main([], world);
    await begun.opened;
    for (const one of sent) {
      if (typeof one === 'number') vi.advanceTimersByTime(one);
      else send(one);
    }
    expect(exits).toEqual(exited);
    cleaned.open();
    await running;
  });

  test('the first one still stops a build whose time is up, the second one ends it', async () => {
    const { build, begun, cleaned } = stoppable();
    const { world, send, exits, err } = fakeWorld(async (options) => {
      await build({ ...options, signal: AbortSignal.abort() });
      return { ...RESULT, status: 'failed', reason: 'the build took longer than 1s', steps: [] };
    });
    const running = main(['--timeout', '1s'], world);
    await begun.opened;
    send('SIGINT');
    expect(exits).toEqual([]);
    send('SIGTERM');
    expect(exits).toEqual([143]);
    cleaned.open();
    expect(await running).toBe(130);
    expect(err()).toContain('  It was stopped: the build took longer than 1s.\n');
  });

  test('the reason of the abort names the signal, and a rejection with it is no bug', async () => {
    const begun = new Gate();
    const { world, send, err } = fakeWorld(async ({ signal }) => {
      begun.open();
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      signal?.throwIfAborted();
      return RESULT;
    });
    const running = main([], world);
    await begun.opened;
    send('SIGINT');
    expect(await running).toBe(130);
    expect(err()).toContain('error: stopped by SIGINT\n');
  });

  test('a build that succeeded before it could be stopped has succeeded', async () => {
    const begun = new Gate();
    const { world, send } = fakeWorld(async ({ signal }) => {
      begun.open();
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      return RESULT;
    });
    const running = main([], world);
    await begun.opened;
    send('SIGINT');
    expect(await running).toBe(0);
  });
});

describe('diagnostics', () => {
  const talkative: Build = async ({ log, emit }) => {
    log?.debug({ path: '/_ping', status: 200 }, 'engine call');
    log?.warn('the disk is nearly full');
    log?.warn('said twice');
    emit?.({ at: 0, type: 'notice', level: 'warning', message: 'said twice' });
    emit?.({ at: 0, type: 'output', step: 'api', phase: 'build', stream: 'stdout', line: 'cc app.c' });
    await setImmediate();
    return RESULT;
  };

  test('without a log file warnings appear among the progress, none twice', async () => {
    const { world, err } = fakeWorld(talkative);
    await main(['--suppress'], world);
    expect(err()).toBe(`warning: said twice\nwarning: the disk is nearly full\n${SUMMARY}`);
  });

  test('--log-level debug shows the rest as well', async () => {
    const { world, err } = fakeWorld(talkative);
    await main(['--log-level', 'debug'], world);
    expect(err()).toContain('note: engine call (path="/_ping", status=200)\n');
  });

  test.each([
    ['error', ''],
    ['warn', 'warning: a warning\n'],
    ['info', 'note: --secrets is no longer needed\nnote: a note\nwarning: a warning\n'],
  ])('--log-level %s leaves out what is less', async (level, expected) => {
    const { world, err } = fakeWorld(({ emit }) => {
      emit?.({ at: 0, type: 'notice', level: 'info', message: 'a note' });
      emit?.({ at: 0, type: 'notice', level: 'warning', message: 'a warning' });
      return Promise.resolve(RESULT);
    });
    await main(['--log-level', level, '--secrets'], world);
    expect(err()).toBe(`${expected}${SUMMARY}`);
  });

  test('--log-file takes them as JSON lines, output only at debug', async () => {
    const file = join(folder, 'x.log');
    const { world, err } = fakeWorld(talkative);
    const messages = async (): Promise<unknown[]> =>
      (await readFile(file, 'utf8'))
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: unknown }).msg);
    await main(['--log-file', file], world);
    expect(await messages()).toEqual(['the disk is nearly full', 'said twice']);
    await rm(file);
    await main(['--log-file', file, '-level=debug'], world);
    expect(await messages()).toEqual(['engine call', 'the disk is nearly full', 'said twice', 'output']);
    expect(err()).not.toContain('nearly full');
  });

  test('--log-file has the stack of a bug', async () => {
    const file = join(folder, 'x.log');
    const { world } = fakeWorld(rejects(new TypeError('x is not a function')));
    expect(await main(['--log-file', file], world)).toBe(70);
    const { err } = JSON.parse(await readFile(file, 'utf8')) as { err: { stack: string } };
    expect(err.stack).toContain('TypeError: x is not a function\n    at ');
  });

  test('a log file that cannot be written is said before anything is built', async () => {
    const file = join(folder, 'missing', 'x.log');
    let built = false;
    const { world, err } = fakeWorld((options) => {
      built = true;
      return succeeds(options);
    });
    expect(await main(['--log-file', file], world)).toBe(2);
    expect(built).toBe(false);
    expect(err()).toContain(`error: the log file ${JSON.stringify(file)} cannot be written\n`);
  });

  test('a log on a full disk is said once and does not stop the build', async () => {
    const { world, err } = fakeWorld(talkative);
    expect(await main(['--log-file', '/dev/full', '--suppress'], world)).toBe(0);
    const text = err();
    expect(text).toContain('warning: the log /dev/full is incomplete: ENOSPC');
    expect(text.split('is incomplete')).toHaveLength(2);
  });

  test('flags that are no longer needed are said once', async () => {
    const { world, err } = fakeWorld(succeeds);
    await main(['-os', 'debian', '-use-stat=true'], world);
    expect(err()).toBe(`note: --use-stat and --os are no longer needed\n${SUMMARY}`);
  });
});

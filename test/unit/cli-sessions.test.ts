/** `habitus sessions` and `habitus gc`: what their words mean, what they show, their exit status. */
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readCommandLine } from '../../src/cli/command-line.js';
import { main } from '../../src/cli/main.js';
import { describeSessions } from '../../src/cli/sessions.js';
import type { Library } from '../../src/cli/world.js';
import { UsageError } from '../../src/core/errors.js';
import type { CollectedSession, SessionSummary } from '../../src/core/session-api.js';
import { createPaint } from '../../src/report/style.js';
import { fakeLibrary } from '../support/fake-library.js';

const NOW = Date.UTC(2026, 10, 22, 12);
const DEAD: SessionSummary = {
  session: '1jzk6cq3v0ab',
  state: 'dead',
  began: NOW - 7_260_000,
  pid: 4711,
  containers: 1,
  volumes: 1,
  images: 3,
  names: 4,
  bytes: 4_100_000,
};
const FAR: SessionSummary = {
  session: '1jzk6cq3v0ac',
  state: 'unknown',
  began: NOW - 5000,
  containers: 0,
  volumes: 0,
  images: 12,
  names: 12,
  bytes: 0,
};

async function run(args: readonly string[], library: Partial<Library>) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await main(args, {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    env: {},
    signals: new EventEmitter(),
    onCrash: () => undefined,
    exit: () => undefined,
    openStdout: () => new PassThrough(),
    flushed: () => Promise.resolve(undefined),
    loadLibrary: () => Promise.resolve(fakeLibrary(library)),
  });
  return { code, out: out.join(''), err: err.join('') };
}

describe('the command lines', () => {
  it('say what to collect, and where', () => {
    expect(readCommandLine(['gc', '-older-than', '2h', '--dry-run', '-host', 'tcp://h:1'])).toMatchObject({
      command: 'gc',
      options: { olderThanMs: 7_200_000, dryRun: true, engine: { host: 'tcp://h:1' } },
    });
    expect(readCommandLine(['sessions', '--json'])).toMatchObject({
      command: 'sessions',
      display: { json: true },
    });
    expect(readCommandLine(['gc', '--help'])).toEqual({ command: 'help', of: 'gc' });
  });

  it.each([
    [
      ['gc', '--older-than', '5'],
      '--older-than takes a duration above zero such as 90s, 10m or 1h30m (units: ms, s, m, h, d), not "5"',
      undefined,
    ],
    [
      ['gc', 'app'],
      'unexpected argument "app": everything is said with flags',
      'Usage: habitus gc [--older-than DURATION] [--dry-run]',
    ],
    [
      ['-d', '.', 'gc'],
      'unexpected argument "gc"',
      'Did you mean "habitus gc"? The command comes first, flags after it.',
    ],
    [
      ['session'],
      'unexpected argument "session"',
      'Did you mean "habitus sessions"? The command comes first, flags after it.',
    ],
  ])('%j is an error', (argv, message, hint) => {
    let error: unknown;
    try {
      readCommandLine(argv);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ message, hint });
  });
});

describe('habitus sessions', () => {
  it('is a table', () => {
    expect(describeSessions([DEAD, FAR], NOW, createPaint(false))).toEqual([
      'SESSION       STATE    BEGAN           OWNER         CONTAINERS  VOLUMES  IMAGES  NAMES  SIZE',
      '1jzk6cq3v0ab  dead     2 h 01 min ago  process 4711  1           1        3       4      4.1 MB',
      '1jzk6cq3v0ac  unknown  5.0 s ago       elsewhere     0           0        12      12     0 B',
    ]);
  });

  it('says so where there is none, and is JSON where that is asked for', async () => {
    const none = await run(['sessions'], { listSessions: () => Promise.resolve([]) });
    expect(none).toEqual({ code: 0, out: 'no session holds anything on this engine\n', err: '' });
    const json = await run(['sessions', '--json'], { listSessions: () => Promise.resolve([DEAD]) });
    expect(JSON.parse(json.out)).toEqual([DEAD]);
  });
});

describe('habitus gc', () => {
  const collected: CollectedSession = { ...DEAD, problems: [] };
  const gc = (dryRun: boolean, ...all: readonly CollectedSession[]): Partial<Library> => ({
    collectGarbage: () =>
      Promise.resolve({ dryRun, collected: all, kept: [FAR, { ...FAR, state: 'running' as const }] }),
  });
  const LEFT = '2 sessions left alone: 1jzk6cq3v0ac is of another host, 1jzk6cq3v0ac is running\n';

  it('tells what it has removed, and what it has left alone', async () => {
    expect(await run(['gc'], gc(false, collected))).toEqual({
      code: 0,
      out: `✓ collected 1jzk6cq3v0ab: 1 container, 3 images, 1 volume\n${LEFT}`,
      err: '',
    });
    expect(await run(['gc', '--dry-run'], gc(true, collected))).toEqual({
      code: 0,
      out: `would collect 1jzk6cq3v0ab: 1 container, 3 images, 1 volume\n${LEFT}`,
      err: '',
    });
    expect(await run(['gc'], gc(false))).toEqual({ code: 0, out: `✓ nothing to collect\n${LEFT}`, err: '' });
  });

  it('tells what has become of names, and what could not be removed, status 1', async () => {
    const promotion = { how: 'undone', names: ['a:1', 'b:1'] } as const;
    const problems = ['image x is left: a container uses it'];
    expect(await run(['gc'], gc(false, { ...collected, promotion, problems }))).toEqual({
      code: 1,
      out: [
        '✓ collected 1jzk6cq3v0ab: 1 container, 3 images, 1 volume',
        '  it died while it gave names, which are what they were before: a:1, b:1',
        '  left: image x is left: a container uses it',
        LEFT,
      ].join('\n'),
      err: '',
    });
  });
});

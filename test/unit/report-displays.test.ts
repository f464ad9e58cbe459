import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BuildResult } from '../../src/core/api.js';
import type { BuildEvent } from '../../src/core/events.js';
import { createReporter, type ReporterKind } from '../../src/report/reporter.js';

const ID = 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const at = 1000;

const failure = {
  message: 'RUN make install exited with 2',
  instruction: 'RUN make install',
  exitCode: 2,
  output: ['\u001b[31mmake: *** No rule to make target\u001b[0m'],
  hint: 'Build the stage before it to look into the image.',
};

/** A build of three steps: the first is built, the second fails, the third is not run. */
const EVENTS: readonly BuildEvent[] = [
  {
    at,
    type: 'build-started',
    session: '1k3m9q2abcde',
    engine: 'Docker 28.5.2 at unix:///var/run/docker.sock',
    builder: 'buildkit',
    jobs: 2,
    steps: [
      { label: 'compile', dependsOn: [] },
      { label: 'web', dependsOn: ['compile'] },
      { label: 'upload', dependsOn: ['web'] },
    ],
  },
  { at, type: 'step-started', step: 'compile' },
  { at, type: 'phase-started', step: 'compile', phase: 'build' },
  {
    at,
    type: 'instruction',
    step: 'compile',
    instruction: { state: 'finished', id: '1', text: '[1/2] FROM debian', cached: true, durationMs: 0 },
  },
  {
    at,
    type: 'instruction',
    step: 'compile',
    instruction: { state: 'started', id: '2', text: '[2/2] RUN make' },
  },
  {
    at,
    type: 'output',
    step: 'compile',
    phase: 'build',
    stream: 'stdout',
    line: '\u001b[32mcc\u001b[0m app.c',
  },
  {
    at,
    type: 'instruction',
    step: 'compile',
    instruction: { state: 'finished', id: '2', text: '[2/2] RUN make', cached: false, durationMs: 3210 },
  },
  { at, type: 'phase-started', step: 'compile', phase: 'cleanup', detail: 'rm -rf /root/.ssh' },
  { at, type: 'step-finished', step: 'compile', status: 'succeeded', durationMs: 3500, imageId: ID },
  { at, type: 'step-started', step: 'web' },
  { at, type: 'notice', level: 'warning', step: 'web', message: 'the secret is not used' },
  {
    at,
    type: 'instruction',
    step: 'web',
    instruction: { state: 'failed', id: '1', text: '[2/2] RUN make install', durationMs: 840 },
  },
  { at, type: 'step-finished', step: 'web', status: 'failed', durationMs: 850, failure },
  { at, type: 'step-finished', step: 'upload', status: 'skipped', durationMs: 0, reason: 'web failed' },
  { at, type: 'build-finished', status: 'failed', durationMs: 4400 },
];

const FAILED: BuildResult = {
  session: '1k3m9q2abcde',
  status: 'failed',
  durationMs: 4400,
  steps: [
    {
      label: 'compile',
      imageName: 'compile:latest',
      status: 'succeeded',
      durationMs: 3500,
      imageId: ID,
      names: [],
    },
    { label: 'web', imageName: 'web:latest', status: 'failed', durationMs: 850, names: [], failure },
    {
      label: 'upload',
      imageName: 'up:latest',
      status: 'skipped',
      durationMs: 0,
      names: [],
      reason: 'web failed',
    },
  ],
};

const SUCCEEDED: BuildResult = {
  session: '1k3m9q2abcde',
  status: 'succeeded',
  durationMs: 125_000,
  steps: [
    {
      label: 'compile',
      imageName: 'c:latest',
      status: 'succeeded',
      durationMs: 12_449,
      imageId: ID,
      names: [],
    },
    {
      label: 'api',
      imageName: 'example/api:latest',
      status: 'succeeded',
      durationMs: 840,
      imageId: ID,
      names: ['example/api:latest'],
    },
  ],
};

const SUMMARY_OF_FAILURE = [
  '✓  compile   3.5 s  not kept',
  '✗  web      850 ms  failed',
  '–  upload           not run: web failed',
  '',
  '✗ web failed: RUN make install exited with 2',
  '  instruction  RUN make install',
  '  exit code    2',
  '  last output',
  '    │ make: *** No rule to make target',
  '  → Build the stage before it to look into the image.',
  '',
  '✗ build failed after 4.4 s: 1 failed, 1 not run, 1 built (session 1k3m9q2abcde)',
  '  No image got its name; earlier images keep theirs.',
  '',
];

function capture(kind: ReporterKind, { suppress = false, color = false } = {}) {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text), columns: 60, rows: 24 };
  const reporter = createReporter({ kind, stream, color, suppress, now: () => 2500 });
  return { reporter, written, text: () => written.join('') };
}

describe('the plain display', () => {
  test('tells a failed build line by line', () => {
    const { reporter, text } = capture('plain');
    EVENTS.forEach(reporter.emit);
    reporter.finish(FAILED);
    expect(text().split('\n')).toEqual([
      'session 1k3m9q2abcde · Docker 28.5.2 at unix:///var/run/docker.sock · BuildKit · 3 steps, 2 jobs',
      '',
      'compile | started',
      'compile | [1/2] FROM debian · cached',
      'compile | [2/2] RUN make',
      'compile |   cc app.c',
      'compile | [2/2] RUN make · 3.2 s',
      'compile | cleaning up: rm -rf /root/.ssh',
      'compile | ✓ built in 3.5 s · 9f86d081884c',
      'web     | started',
      'web     | warning: the secret is not used',
      'web     | [2/2] RUN make install · failed after 840 ms',
      'web     | ✗ failed after 850 ms: RUN make install exited with 2',
      'upload  | – not run: web failed',
      '',
      ...SUMMARY_OF_FAILURE,
    ]);
  });

  test('ends a good build with the names of its images', () => {
    const { reporter, text } = capture('plain');
    reporter.finish(SUCCEEDED);
    expect(text().split('\n')).toEqual([
      '',
      '✓  compile  12.4 s  not kept',
      '✓  api      840 ms  example/api:latest  9f86d081884c',
      '',
      '✓ built 2 images in 2 min 05 s (session 1k3m9q2abcde)',
      '',
    ]);
  });

  test('hides what builds print with --suppress, but not the last output of a failure', () => {
    const { reporter, text } = capture('plain', { suppress: true });
    EVENTS.forEach(reporter.emit);
    reporter.finish(FAILED);
    expect(text()).not.toContain('cc app.c');
    expect(text()).toContain('│ make: *** No rule to make target');
  });

  test('shows the last lines that it saw for a failure that came without output', () => {
    const { reporter, text } = capture('plain', { suppress: true });
    const line = 'segmentation fault';
    reporter.emit({ at, type: 'output', step: 'api', phase: 'build', stream: 'stderr', line });
    reporter.finish({
      ...FAILED,
      steps: [
        {
          label: 'api',
          imageName: 'api:latest',
          status: 'failed',
          durationMs: 1,
          names: [],
          failure: { message: 'it broke', output: [] },
        },
      ],
    });
    expect(text()).toContain('✗ api failed: it broke\n  last output\n    │ segmentation fault\n');
  });

  test('colours only what it was told to', () => {
    const { reporter, text } = capture('plain', { color: true });
    reporter.finish(SUCCEEDED);
    expect(text()).toContain('\u001b[32m✓ built 2 images in 2 min 05 s\u001b[39m');
  });

  test('says plainly that time was up', () => {
    const { reporter, text } = capture('plain');
    const [compile] = FAILED.steps;
    if (compile === undefined) throw new Error('no step');
    const reason = 'the build took longer than 10m';
    const cancelled = { ...compile, status: 'cancelled', reason } as const;
    reporter.finish({ ...FAILED, reason, steps: [cancelled] });
    expect(text()).toBe(
      [
        '',
        '–  compile  3.5 s  cancelled: the build took longer than 10m',
        '',
        '✗ build failed after 4.4 s: 1 cancelled (session 1k3m9q2abcde)',
        '  It was stopped: the build took longer than 10m.',
        '  No image got its name; earlier images keep theirs.',
        '',
      ].join('\n'),
    );
  });

  test('says what a cancelled build came to', () => {
    const { reporter, text } = capture('plain');
    const [compile] = FAILED.steps;
    if (compile === undefined) throw new Error('no step');
    const cancelled = { ...compile, status: 'cancelled', reason: 'stopped by SIGINT' } as const;
    reporter.finish({ ...FAILED, status: 'cancelled', steps: [cancelled] });
    expect(text()).toBe(
      [
        '',
        '–  compile  3.5 s  cancelled: stopped by SIGINT',
        '',
        '✗ build cancelled after 4.4 s: 1 cancelled (session 1k3m9q2abcde)',
        '  No image got its name; earlier images keep theirs.',
        '',
      ].join('\n'),
    );
  });
});

describe('the quiet display', () => {
  test('shows the failures and the table, nothing before', () => {
    const { reporter, text } = capture('quiet');
    EVENTS.forEach(reporter.emit);
    expect(text()).toBe('');
    reporter.finish(FAILED);
    expect(text().split('\n')).toEqual(SUMMARY_OF_FAILURE);
  });
});

describe('the json display', () => {
  test('writes every event as one line', () => {
    const { reporter, text } = capture('json');
    EVENTS.forEach(reporter.emit);
    reporter.finish(FAILED);
    const lines = text().trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(EVENTS);
  });

  test('leaves out the output with --suppress', () => {
    const { reporter, text } = capture('json', { suppress: true });
    EVENTS.forEach(reporter.emit);
    expect(text()).not.toContain('"type":"output"');
    expect(text()).toContain('"type":"build-finished"');
  });
});

describe('the live view', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const HIDE = '\u001b[?25l';
  const SHOW = '\u001b[?25h';
  const running = EVENTS.slice(0, 6);

  test('repaints ten times a second however many events come', () => {
    const { reporter, written } = capture('tty');
    running.forEach(reporter.emit);
    const line = 'x';
    for (let i = 0; i < 1000; i++) {
      reporter.emit({ at, type: 'output', step: 'compile', phase: 'build', stream: 'stdout', line });
      vi.advanceTimersByTime(1);
    }
    expect(written.length).toBe(1 + 10);
    reporter.close();
  });

  test('goes back to the top of its picture and clears each line before it paints', () => {
    const { reporter, written } = capture('tty');
    running.forEach(reporter.emit);
    vi.advanceTimersByTime(200);
    expect(written[2]).toBe(
      [
        '\r\u001b[4A',
        '\u001b[2K⠙ compile       1.5 s  [2/2] RUN make\n',
        '\u001b[2K· web                  waiting for compile\n',
        '\u001b[2K· upload               waiting for web\n',
        '\u001b[2K0 of 3 done · 1 working · 2 waiting · 1.5 s\n',
        '\u001b[J',
      ].join(''),
    );
    reporter.close();
  });

  test('counts the rows that its lines take once the terminal is narrower', () => {
    const written: string[] = [];
    const stream = { write: (text: string) => written.push(text), columns: 60, rows: 24 };
    const reporter = createReporter({ kind: 'tty', stream, color: false, suppress: false, now: () => 2500 });
    running.forEach(reporter.emit);
    vi.advanceTimersByTime(100);
    stream.columns = 40;
    vi.advanceTimersByTime(100);
    expect(written[2]?.startsWith('\r\u001b[6A')).toBe(true);
    reporter.close();
  });

  test('writes notices above the picture, where they stay', () => {
    const { reporter, written } = capture('tty');
    running.forEach(reporter.emit);
    vi.advanceTimersByTime(100);
    reporter.emit({ at, type: 'notice', level: 'warning', message: 'disk is nearly full' });
    vi.advanceTimersByTime(100);
    expect(written[2]?.startsWith('\r\u001b[4A\u001b[2Kwarning: disk is nearly full\n\u001b[2K⠙')).toBe(true);
    reporter.close();
  });

  test('at the end puts the summary in place of the picture and gives the cursor back', () => {
    const { reporter, written, text } = capture('tty');
    EVENTS.forEach(reporter.emit);
    vi.advanceTimersByTime(100);
    reporter.finish(FAILED);
    expect(written.at(-2)).toBe(`\r\u001b[4A\u001b[J\n${SUMMARY_OF_FAILURE.join('\n')}`);
    expect(text().startsWith(HIDE)).toBe(true);
    expect(written.at(-1)).toBe(SHOW);
    reporter.close();
    expect(written.at(-1)).toBe(SHOW);
    expect(written.filter((part) => part === SHOW)).toHaveLength(1);
  });

  test('gives the cursor back when the build broke off, and when the process ends', () => {
    const listeners = process.listenerCount('exit');
    const { reporter, written } = capture('tty');
    running.forEach(reporter.emit);
    expect(process.listenerCount('exit')).toBe(listeners + 1);
    reporter.close();
    expect(written.at(-1)).toBe(SHOW);
    expect(process.listenerCount('exit')).toBe(listeners);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does not touch the cursor before a build has begun', () => {
    const { reporter, text } = capture('tty');
    reporter.emit({ at, type: 'notice', level: 'info', message: '--os is no longer needed' });
    reporter.close();
    expect(text()).toBe('note: --os is no longer needed\n');
  });
});

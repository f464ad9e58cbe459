/** Timeouts of steps and builds, on an engine in memory and by a clock that the tests turn. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BuildResult } from '../../src/core/api.js';
import { TimeoutError } from '../../src/core/errors.js';
import type { PlannedStep } from '../../src/core/plan.js';
import { TimeLimit } from '../../src/core/time-limit.js';
import { FakeEngine } from '../support/fake-engine.js';
import { Gate } from '../support/gate.js';
import { NO_SECRETS, plannedStep, runPlanned, type PlannedBuild } from '../support/planned-build.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const HINT = 'Find out what it waits for, or give it a longer "timeout" in the build file.';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'habitus-timeout-'));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

const step = (label: string, runs: readonly string[], more: Partial<PlannedStep> = {}): PlannedStep =>
  plannedStep(folder, label, runs, more);

const run = (steps: readonly PlannedStep[], options: Parameters<typeof runPlanned>[2] = {}): PlannedBuild =>
  runPlanned(folder, steps, options);

const fates = ({ steps }: BuildResult): readonly string[] =>
  steps.map(({ label, status, reason = '' }) => `${label} ${status} ${reason}`.trimEnd());

describe('the timeout of a step', () => {
  it('fails it with what it was at and the last output, and skips the rest', async () => {
    const compile = step('compile', ['echo early', 'echo begun && sleep 600'], { timeoutMs: 10 * MINUTE });
    const { engine, done, said } = run([compile, step('app', ['true'], { dependsOn: ['compile'] })]);
    await said('begun');
    await vi.advanceTimersByTimeAsync(10 * MINUTE - 1);
    expect(engine.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    const result = await done;
    expect(result.status).toBe('failed');
    expect(result.reason).toBeUndefined();
    expect(result.steps[0]?.failure).toEqual({
      message: 'compile took longer than its timeout of 10m',
      instruction: '[4/4] RUN echo begun && sleep 600',
      output: ['begun'],
      hint: HINT,
    });
    expect(fates(result)).toEqual(['compile failed', 'app skipped compile failed']);
    expect(engine.countLeftovers()).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets others go on with keepGoing', async () => {
    const gate = new Gate();
    const engine = new FakeEngine();
    engine.scripts.set('wait', async ({ signal }) => {
      await gate.pass(signal);
      return 0;
    });
    const slow = step('slow', ['echo begun && sleep 600'], { timeoutMs: MINUTE });
    const steps = [slow, step('other', ['wait']), step('after', ['true'], { dependsOn: ['slow'] })];
    const { done, said } = run(steps, { engine, keepGoing: true });
    await Promise.all([said('begun'), gate.reached]);
    await vi.advanceTimersByTimeAsync(MINUTE);
    gate.open();
    expect(fates(await done)).toEqual([
      'slow failed',
      'other succeeded',
      'after skipped needs slow, which failed',
    ]);
  });

  it('counts from when the step starts to work, not from when it is ready', async () => {
    const gate = new Gate();
    const engine = new FakeEngine();
    engine.scripts.set('wait', async () => {
      await gate.pass();
      return 0;
    });
    const steps = [step('first', ['wait']), step('second', ['true'], { timeoutMs: MINUTE })];
    const { done } = run(steps, { engine, jobs: 1 });
    await gate.reached;
    await vi.advanceTimersByTimeAsync(10 * MINUTE);
    gate.open();
    expect(fates(await done)).toEqual(['first succeeded', 'second succeeded']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('covers its command, whose container goes', async () => {
    const { engine, done, said } = run([
      step('app', ['echo built'], { command: 'echo begun && sleep 600', timeoutMs: MINUTE }),
    ]);
    await said('begun');
    expect(engine.containers.size).toBe(1);
    await vi.advanceTimersByTimeAsync(MINUTE);
    const { steps } = await done;
    expect(steps[0]?.failure).toMatchObject({ instruction: 'echo begun && sleep 600', output: ['begun'] });
    expect(engine.countLeftovers()).toBe(0);
  });

  it('tells what it was at when time was up, whatever stopping it says', async () => {
    const engine = new FakeEngine();
    engine.scripts.set('make', async ({ line, signal }) => {
      line('stdout', 'compiling');
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true });
      });
      line('stderr', 'Killed');
      return 137;
    });
    const { done, said } = run([step('app', ['make'], { timeoutMs: MINUTE })], { engine });
    await said('compiling');
    await vi.advanceTimersByTimeAsync(MINUTE);
    const { steps } = await done;
    expect(steps[0]?.failure).toMatchObject({
      message: 'app took longer than its timeout of 1m',
      output: ['compiling'],
    });
  });

  it('is no timeout where the build was cancelled before', async () => {
    const cancel = new AbortController();
    const app = step('app', ['echo begun && sleep 600'], { timeoutMs: MINUTE });
    const { done, said } = run([app], { signal: cancel.signal });
    await said('begun');
    cancel.abort(new Error('stopped by SIGINT'));
    await vi.advanceTimersByTimeAsync(MINUTE);
    const result = await done;
    expect([result.status, result.reason]).toEqual(['cancelled', 'stopped by SIGINT']);
    expect(fates(result)).toEqual(['app cancelled stopped by SIGINT']);
  });
});

describe('the timeout of the build', () => {
  const late = new TimeoutError('the build took longer than 10m');

  it('stops what works, and has failed with the reason', async () => {
    const limit = new AbortController();
    const steps = [step('app', ['echo begun && sleep 600']), step('late', ['true'], { dependsOn: ['app'] })];
    const { engine, events, done, said } = run(steps, { signal: limit.signal });
    await said('begun');
    limit.abort(late);
    const result = await done;
    expect(result).toMatchObject({ status: 'failed', reason: late.message });
    expect(fates(result)).toEqual([`app cancelled ${late.message}`, `late skipped ${late.message}`]);
    expect(events.at(-1)).toMatchObject({ type: 'build-finished', status: 'failed', reason: late.message });
    expect(engine.countLeftovers()).toBe(0);
  });

  it('covers the time before the first step', async () => {
    const limit = new AbortController();
    const asked = new Gate();
    const { done, engine } = run([step('app', ['true'])], {
      signal: limit.signal,
      memory: {
        decide: async (_hold, _moved, signal) => {
          await asked.pass(signal);
          return new Map();
        },
        named: undefined,
        durationOf: () => undefined,
        listed: () => undefined,
        contextSent: () => undefined,
        remember: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
    });
    await asked.reached;
    limit.abort(late);
    const result = await done;
    expect(result).toMatchObject({ status: 'failed', reason: late.message });
    expect(fates(result)).toEqual([`app skipped ${late.message}`]);
    expect(engine.requests).toEqual([]);
  });

  it('covers the proof', async () => {
    const limit = new AbortController();
    const searching = new Gate();
    const { done, engine } = run([step('app', ['true'])], {
      signal: limit.signal,
      secrets: {
        ...NO_SECRETS,
        prove: async (_, signal) => {
          await searching.pass(signal);
          throw new Error('nobody opens this gate');
        },
      },
    });
    await searching.reached;
    limit.abort(late);
    const result = await done;
    expect(result).toMatchObject({ status: 'failed', reason: late.message, steps: [{ names: [] }] });
    expect(await engine.describeImage('app:latest')).toBeUndefined();
  });

  it('is too late once names are being given: all are, and the build has succeeded', async () => {
    const limit = new AbortController();
    class SlowEngine extends FakeEngine {
      override tagImage(reference: string, name: string): Promise<void> {
        if (name === 'a:latest') limit.abort(late);
        return super.tagImage(reference, name);
      }
    }
    const engine = new SlowEngine();
    vi.useRealTimers();
    const { done } = run([step('a', ['true']), step('b', ['true'])], { engine, signal: limit.signal });
    expect(await done).toMatchObject({ status: 'succeeded' });
    expect(await engine.describeImage('a:latest')).toBeDefined();
    expect(await engine.describeImage('b:latest')).toBeDefined();
  });
});

describe('a limit of time', () => {
  it('longer than the longest timer of Node is waited for', async () => {
    using limit = new TimeLimit(30 * DAY, () => new Error('time is up'));
    await vi.advanceTimersByTimeAsync(30 * DAY - 1);
    expect(limit.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(limit.signal.reason).toEqual(new Error('time is up'));
  });

  it('that is disposed is none', async () => {
    const limit = new TimeLimit(MINUTE, () => new Error('time is up'));
    limit[Symbol.dispose]();
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(limit.signal.aborted).toBe(false);
  });
});

/** How the scheduler orders, limits, cancels and skips tasks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schedule, type Outcome, type Task } from '../../src/core/scheduler.js';
import { Gate } from '../support/gate.js';

const tasks = (edges: Readonly<Record<string, readonly string[]>>): Task[] =>
  Object.entries(edges).map(([id, dependsOn]) => ({ id, dependsOn }));

interface Run {
  readonly started: string[];
  readonly outcomes: Map<string, Outcome<string>>;
  readonly gates: Map<string, Gate>;
  readonly done: Promise<void>;
}

/** Start a schedule in which every task waits at its own gate. */
function start(
  list: readonly Task[],
  { jobs = 10, keepGoing = false, signal = new AbortController().signal, fail = new Set<string>() } = {},
): Run {
  const started: string[] = [];
  const outcomes = new Map<string, Outcome<string>>();
  const gates = new Map(list.map(({ id }) => [id, new Gate()]));
  const done = schedule<string>(list, {
    jobs,
    keepGoing,
    signal,
    run: async (id, taskSignal) => {
      started.push(id);
      await gates.get(id)?.pass(taskSignal);
      if (fail.has(id)) throw new Error(`${id} broke`);
      return `${id} done`;
    },
    settled: (id, outcome) => outcomes.set(id, outcome),
  });
  return { started, outcomes, gates, done };
}

const open = (run: Run, ...ids: string[]): void => {
  for (const id of ids) run.gates.get(id)?.open();
};
const reached = (run: Run, id: string): Promise<void> | undefined => run.gates.get(id)?.reached;

describe('the scheduler', () => {
  it('starts b when a has ended while an unrelated slow task still works: there are no levels', async () => {
    const run = start(tasks({ slow: [], a: [], b: ['a'] }));
    await reached(run, 'slow');
    open(run, 'a');
    await reached(run, 'b');
    expect(run.outcomes.has('slow')).toBe(false);
    open(run, 'slow', 'b');
    await run.done;
    expect([...run.outcomes.values()].map(({ status }) => status)).toEqual([
      'succeeded',
      'succeeded',
      'succeeded',
    ]);
  });

  it('starts the task with the longest remaining path first', async () => {
    const run = start(tasks({ lone: [], head: [], middle: ['head'], tail: ['middle'] }), { jobs: 1 });
    open(run, 'lone', 'head', 'middle', 'tail');
    await run.done;
    expect(run.started).toEqual(['head', 'middle', 'lone', 'tail']);
  });

  it('counts the path by the weight of its tasks', async () => {
    const list: Task[] = [
      { id: 'short', dependsOn: [], weight: 1 },
      { id: 'after', dependsOn: ['short'], weight: 1 },
      { id: 'long', dependsOn: [], weight: 10 },
    ];
    const run = start(list, { jobs: 1 });
    open(run, 'short', 'after', 'long');
    await run.done;
    expect(run.started[0]).toBe('long');
  });

  it('cancels what works and skips the rest after a failure, and says why', async () => {
    const run = start(tasks({ a: [], b: [], c: ['b'] }), { fail: new Set(['a']) });
    await reached(run, 'b');
    open(run, 'a');
    await run.done;
    expect(run.outcomes.get('a')).toMatchObject({ status: 'failed' });
    expect(run.outcomes.get('b')).toEqual({ status: 'cancelled', reason: 'a failed' });
    expect(run.outcomes.get('c')).toEqual({ status: 'skipped', reason: 'a failed' });
  });

  it('with keepGoing skips only what needs the failed task', async () => {
    const run = start(tasks({ a: [], b: [], c: ['a'], d: ['c'], e: ['b'] }), {
      keepGoing: true,
      fail: new Set(['a']),
    });
    open(run, 'a', 'b', 'e');
    await run.done;
    expect(run.outcomes.get('e')).toEqual({ status: 'succeeded', value: 'e done' });
    expect(run.outcomes.get('c')).toEqual({ status: 'skipped', reason: 'needs a, which failed' });
    expect(run.outcomes.get('d')).toEqual({ status: 'skipped', reason: 'needs a, which failed' });
  });

  it('starts nothing when the signal was aborted before', async () => {
    const run = start(tasks({ a: [], b: ['a'] }), { signal: AbortSignal.abort(new Error('interrupted')) });
    await run.done;
    expect(run.started).toEqual([]);
    expect(run.outcomes.get('b')).toEqual({ status: 'skipped', reason: 'interrupted' });
  });

  it('resolves only when the cancelled tasks have settled', async () => {
    const cancel = new AbortController();
    const clean = new Gate();
    let settled = false;
    const done = schedule<undefined>(tasks({ a: [] }), {
      jobs: 1,
      keepGoing: false,
      signal: cancel.signal,
      run: async () => {
        await clean.pass();
        throw new Error('stopped after cleaning up');
      },
      settled: (_, outcome) => {
        settled = outcome.status === 'cancelled';
      },
    });
    await clean.reached;
    cancel.abort(new Error('interrupted'));
    clean.open();
    await done;
    expect(settled).toBe(true);
  });
});

/** Any DAG: each task may depend on those before it. */
const dag = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30 }).map((rows) =>
  rows.map((row, index) => ({
    id: String(index),
    dependsOn: index === 0 ? [] : [...new Set(row.map((n) => String(n % index)))],
  })),
);

describe('any schedule', () => {
  it('settles every task once, never runs more than its jobs, and never before what a task depends on', async () => {
    await fc.assert(
      fc.asyncProperty(
        dag,
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        fc.nat(40),
        async (list, jobs, keepGoing, broken) => {
          const outcomes = new Map<string, Outcome<undefined>>();
          let working = 0;
          let most = 0;
          await schedule<undefined>(list, {
            jobs,
            keepGoing,
            signal: new AbortController().signal,
            run: async (id) => {
              most = Math.max(most, ++working);
              const needs = list.find((task) => task.id === id)?.dependsOn ?? [];
              for (const need of needs) expect(outcomes.get(need)?.status).toBe('succeeded');
              await Promise.resolve();
              working--;
              if (id === String(broken)) throw new Error('broken');
              return undefined;
            },
            settled: (id, outcome) => {
              expect(outcomes.has(id)).toBe(false);
              outcomes.set(id, outcome);
            },
          });
          expect(outcomes.size).toBe(list.length);
          expect(most).toBeLessThanOrEqual(jobs);
          if (broken >= list.length)
            expect([...outcomes.values()].every(({ status }) => status === 'succeeded')).toBe(true);
        },
      ),
    );
  });

  it('lets any number of tasks listen for the cancel without a warning', async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): number => warnings.push(warning);
    process.on('warning', hear);
    const ids = Array.from({ length: 50 }, (_, index) => String(index));
    const run = start(tasks(Object.fromEntries(ids.map((id) => [id, []]))), { jobs: 50 });
    await reached(run, '49');
    open(run, ...ids);
    await run.done;
    await new Promise(setImmediate);
    process.off('warning', hear);
    expect(warnings).toEqual([]);
  });
});

/** A ready queue over a DAG: longest remaining path first, at most N tasks working; it knows nothing of Docker. */
import { setMaxListeners } from 'node:events';

export interface Task {
  readonly id: string;
  /** IDs of the tasks that must have succeeded before; every one of them is in the list. */
  readonly dependsOn: readonly string[];
  /** Expected duration in any unit that all tasks share; only the order of ready tasks depends on it. */
  readonly weight?: number;
}

export type Outcome<T> =
  | { readonly status: 'succeeded'; readonly value: T }
  | { readonly status: 'failed'; readonly error: unknown }
  /** It was working when the run was cancelled. */
  | { readonly status: 'cancelled'; readonly reason: string }
  /** It never started. */
  | { readonly status: 'skipped'; readonly reason: string };

export interface ScheduleOptions<T> {
  readonly jobs: number;
  /** After a failure go on with everything that does not depend on the failed task, instead of cancelling. */
  readonly keepGoing: boolean;
  readonly signal: AbortSignal;
  readonly run: (id: string, signal: AbortSignal) => Promise<T>;
  /** Called once a task, as soon as its outcome is known. */
  readonly settled: (id: string, outcome: Outcome<T>) => void;
}

/**
 * Run all tasks; never rejects. Resolves when every started task has settled, so nothing works on afterwards.
 * A cancelled run (the caller's signal, or a failure without `keepGoing`) aborts the signal of the working tasks.
 */
export async function schedule<T>(tasks: readonly Task[], options: ScheduleOptions<T>): Promise<void> {
  const order = priorities(tasks);
  const waitingFor = new Map(tasks.map((task) => [task.id, new Set(task.dependsOn)]));
  const dependents = dependentsOf(tasks);
  const open = new Set(tasks.map((task) => task.id));
  const ready = new ReadyQueue(order);
  for (const task of tasks) if (task.dependsOn.length === 0) ready.add(task.id);

  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  // Every working task listens; Node 20 and 22 would warn of a leak from the eleventh listener on.
  setMaxListeners(0, signal);
  let stopReason: string | undefined;
  const working = new Map<string, Promise<void>>();

  const settle = (id: string, outcome: Outcome<T>): void => {
    open.delete(id);
    options.settled(id, outcome);
  };

  const skipDependents = (failed: string): void => {
    const queue = [failed];
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      for (const dependent of dependents.get(id) ?? []) {
        if (!open.has(dependent)) continue;
        settle(dependent, { status: 'skipped', reason: `needs ${failed}, which failed` });
        queue.push(dependent);
      }
    }
  };

  const work = async (id: string): Promise<void> => {
    try {
      const value = await options.run(id, signal);
      settle(id, { status: 'succeeded', value });
      for (const dependent of dependents.get(id) ?? []) {
        const missing = waitingFor.get(dependent);
        missing?.delete(id);
        if (missing?.size === 0 && open.has(dependent)) ready.add(dependent);
      }
    } catch (error) {
      if (signal.aborted) {
        settle(id, { status: 'cancelled', reason: stopReason ?? reasonOf(options.signal) });
        return;
      }
      settle(id, { status: 'failed', error });
      if (options.keepGoing) {
        skipDependents(id);
      } else {
        stopReason = `${id} failed`;
        stop.abort(new Error(stopReason));
      }
    } finally {
      working.delete(id);
    }
  };

  for (;;) {
    while (!signal.aborted && working.size < options.jobs) {
      const id = ready.take();
      if (id === undefined) break;
      working.set(id, work(id));
    }
    if (working.size === 0) break;
    await Promise.race(working.values());
  }

  const reason = stopReason ?? reasonOf(options.signal);
  for (const { id } of tasks) if (open.has(id)) settle(id, { status: 'skipped', reason });
}

/** A short text of why a signal was aborted. */
export function reasonOf(signal: AbortSignal): string {
  const reason: unknown = signal.reason;
  return reason instanceof Error && reason.name !== 'AbortError' ? reason.message : 'cancelled';
}

function dependentsOf(tasks: readonly Task[]): Map<string, string[]> {
  const dependents = new Map<string, string[]>(tasks.map((task) => [task.id, []]));
  for (const task of tasks) for (const id of task.dependsOn) dependents.get(id)?.push(task.id);
  return dependents;
}

/** The weight of the longest path from each task to the end; tasks come in topological order. */
function priorities(tasks: readonly Task[]): Map<string, number> {
  const remaining = new Map<string, number>();
  const dependents = dependentsOf(tasks);
  for (const task of tasks.toReversed()) {
    let longest = 0;
    for (const id of dependents.get(task.id) ?? []) longest = Math.max(longest, remaining.get(id) ?? 0);
    remaining.set(task.id, longest + (task.weight ?? 1));
  }
  return remaining;
}

/** Ready tasks in the order they will start: the longest remaining path first, among equals the first added. */
class ReadyQueue {
  readonly #ids: string[] = [];
  readonly #priorities: ReadonlyMap<string, number>;

  constructor(priorities: ReadonlyMap<string, number>) {
    this.#priorities = priorities;
  }

  add(id: string): void {
    const priority = this.#priority(id);
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#priority(this.#ids[middle]) >= priority) low = middle + 1;
      else high = middle;
    }
    this.#ids.splice(low, 0, id);
  }

  take(): string | undefined {
    return this.#ids.shift();
  }

  #priority(id: string | undefined): number {
    return id === undefined ? 0 : (this.#priorities.get(id) ?? 0);
  }
}

/** Order of steps and cycles among them, by iterative algorithms: chains may be longer than the stack is deep. */

/** Step indexes (in the order of the file) to the indexes that each depends on. */
export type Dependencies = readonly (readonly number[])[];

/**
 * The order of the build: next is always the first step of the file whose dependencies have all come.
 * @throws {RangeError} when there is a cycle; see {@link findCycles}
 */
export function topologicalOrder(dependencies: Dependencies): readonly number[] {
  const waitingFor = dependencies.map((of) => new Set(of).size);
  const dependents: number[][] = dependencies.map(() => []);
  dependencies.forEach((of, step) => {
    for (const dependency of new Set(of)) dependents[dependency]?.push(step);
  });
  const ready = new MinHeap();
  waitingFor.forEach((count, step) => {
    if (count === 0) ready.push(step);
  });
  const order: number[] = [];
  for (let step = ready.pop(); step !== undefined; step = ready.pop()) {
    order.push(step);
    for (const dependent of dependents[step] ?? []) {
      const left = (waitingFor[dependent] ?? 0) - 1;
      waitingFor[dependent] = left;
      if (left === 0) ready.push(dependent);
    }
  }
  if (order.length < dependencies.length) throw new RangeError('the steps depend on each other in a cycle');
  return order;
}

/**
 * Cycles that share no step, each as the steps along it beginning with its first in the file: `[a, b, c]` means that
 * a depends on b, b on c and c on a. Where there are cycles, at least one is found.
 */
export function findCycles(dependencies: Dependencies): readonly (readonly number[])[] {
  const state: ('new' | 'open' | 'done')[] = dependencies.map(() => 'new');
  const taken = new Set<number>();
  const cycles: number[][] = [];
  for (let root = 0; root < dependencies.length; root++) {
    if (state[root] !== 'new') continue;
    const path: { readonly step: number; next: number }[] = [{ step: root, next: 0 }];
    state[root] = 'open';
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const dependency = dependencies[top.step]?.[top.next++];
      if (dependency === undefined) {
        state[top.step] = 'done';
        path.pop();
      } else if (state[dependency] === 'new') {
        state[dependency] = 'open';
        path.push({ step: dependency, next: 0 });
      } else if (state[dependency] === 'open' && !taken.has(dependency) && !taken.has(top.step)) {
        const cycle = path
          .slice(path.findLastIndex(({ step }) => step === dependency))
          .map(({ step }) => step);
        if (cycle.some((step) => taken.has(step))) continue;
        for (const step of cycle) taken.add(step);
        cycles.push(fromFirst(cycle));
      }
    }
  }
  return cycles;
}

/** The steps that these need, themselves included. */
export function closure(dependencies: Dependencies, of: Iterable<number>): ReadonlySet<number> {
  const needed = new Set(of);
  // A Set's iterator also visits what is added on the way.
  for (const step of needed) {
    for (const dependency of dependencies[step] ?? []) needed.add(dependency);
  }
  return needed;
}

function fromFirst(cycle: readonly number[]): number[] {
  const first = cycle.indexOf(cycle.reduce((a, b) => Math.min(a, b), Infinity));
  return [...cycle.slice(first), ...cycle.slice(0, first)];
}

class MinHeap {
  readonly #items: number[] = [];

  push(item: number): void {
    let at = this.#items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#at(parent) <= item) break;
      this.#items[at] = this.#at(parent);
      at = parent;
    }
    this.#items[at] = item;
  }

  pop(): number | undefined {
    const top = this.#items[0];
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (this.#at(child + 1) < this.#at(child)) child += 1;
      if (this.#at(child) >= last) break;
      this.#items[at] = this.#at(child);
      at = child;
    }
    this.#items[at] = last;
    return top;
  }

  #at(index: number): number {
    return this.#items[index] ?? Infinity;
  }
}

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { closure, findCycles, topologicalOrder, type Dependencies } from '../../src/config/graph.js';

/** Each step depends on some before it in a hidden order; then the steps are shuffled. */
const acyclic: fc.Arbitrary<Dependencies> = fc.integer({ min: 0, max: 30 }).chain((count) =>
  fc
    .tuple(
      fc.tuple(
        ...Array.from({ length: count }, (_, step) => fc.subarray(Array.from({ length: step }, (_, i) => i))),
      ),
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, index) => index),
        { minLength: count },
      ),
    )
    .map(([lists, names]) => {
      const shuffled: number[][] = Array.from({ length: count }, () => []);
      lists.forEach((list, step) => {
        shuffled[names[step] ?? 0] = list.map((of) => names[of] ?? 0);
      });
      return shuffled;
    }),
);

const any: fc.Arbitrary<Dependencies> = fc
  .integer({ min: 1, max: 12 })
  .chain((count) =>
    fc.array(fc.array(fc.nat(count - 1), { maxLength: 3 }), { minLength: count, maxLength: count }),
  );

test('the order holds every step once, after its dependencies, and always the first of those that are ready', () => {
  fc.assert(
    fc.property(acyclic, (dependencies) => {
      const order = topologicalOrder(dependencies);
      expect([...order].sort((a, b) => a - b)).toEqual(dependencies.map((_, step) => step));
      const done = new Set<number>();
      for (const step of order) {
        const ready = dependencies.flatMap((of, other) =>
          !done.has(other) && of.every((dependency) => done.has(dependency)) ? [other] : [],
        );
        expect(step).toBe(ready[0]);
        done.add(step);
      }
      expect(findCycles(dependencies)).toEqual([]);
    }),
  );
});

test('a cycle is found exactly when there is no order, and each one found is real and stands alone', () => {
  fc.assert(
    fc.property(any, (dependencies) => {
      const cycles = findCycles(dependencies);
      if (cycles.length === 0) expect(topologicalOrder(dependencies)).toHaveLength(dependencies.length);
      else expect(() => topologicalOrder(dependencies)).toThrow(RangeError);
      for (const cycle of cycles) {
        expect(cycle[0]).toBe(Math.min(...cycle));
        cycle.forEach((step, position) => {
          expect(dependencies[step]).toContain(cycle[(position + 1) % cycle.length]);
        });
      }
      expect(new Set(cycles.flat()).size).toBe(cycles.flat().length);
    }),
  );
});

test('chains and rings of 100,000 steps are walked without recursion', () => {
  const count = 100_000;
  const chain = Array.from({ length: count }, (_, step) => (step === count - 1 ? [] : [step + 1]));
  expect(topologicalOrder(chain)[0]).toBe(count - 1);
  expect(closure(chain, [0]).size).toBe(count);
  expect(findCycles(chain)).toEqual([]);
  const ring = Array.from({ length: count }, (_, step) => [(step + 1) % count]);
  expect(findCycles(ring)[0]).toHaveLength(count);
});

test('what a step needs is all that can be reached from it', () => {
  expect([...closure([[1, 2], [3], [], [], [0]], [0])].sort()).toEqual([0, 1, 2, 3]);
});

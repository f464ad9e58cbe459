/** The benchmark's arithmetic, its page and its picture: they tell what was measured, a peer's victories and failures too. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOptions } from '../bench/bake/options.js';
import { orders } from '../bench/bake/order.js';
import { page } from '../bench/bake/page.js';
import { plot } from '../bench/bake/plot.js';
import type { BuildCase, Measured, Results } from '../bench/bake/results.js';
import { compare, median, seconds, summarize } from '../bench/bake/statistics.js';

const runsOf = (...walls: readonly number[]) =>
  walls.map((wall) => ({ wall, cpu: wall / 2, megabytes: 100 }));
const took = (name: string, ...walls: readonly number[]): Measured => ({ name, runs: runsOf(...walls) });

describe('statistics', () => {
  test('the median is the middle of the values, or between the middle two', () => {
    expect(median([10, 1, 2])).toBe(2);
    expect(median([10, 1, 2, 4])).toBe(3);
    expect(median([])).toBeNaN();
  });

  test('half of the values are not above the median, and half not below, in whatever order they come', () => {
    const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, (all) => {
        const middle = median(all);
        expect(all.filter((value) => value > middle).length).toBeLessThanOrEqual(all.length / 2);
        expect(all.filter((value) => value < middle).length).toBeLessThanOrEqual(all.length / 2);
        expect(median(all.toReversed())).toBe(middle);
      }),
    );
  });

  test('of several runs, the middle time and processors’ time count, and the greatest memory', () => {
    const runs = [
      { wall: 3, cpu: 1, megabytes: 90 },
      { wall: 1, cpu: 5, megabytes: 160 },
      { wall: 2, cpu: 2, megabytes: 80 },
    ];
    expect(summarize(runs)).toEqual({ runs: 3, wall: 2, least: 1, most: 3, cpu: 2, megabytes: 160 });
  });

  test('a ratio is the median of those of the rounds, whatever the speed of the machine in each', () => {
    expect(compare(runsOf(1, 2, 9), runsOf(2, 2, 3))).toEqual({ ratio: 1, least: 0.5, most: 3 });
    expect(compare(runsOf(1, 10, 100), runsOf(2, 20, 25)).ratio).toBe(0.5);
  });

  test('seconds have three digits, and never more than milliseconds', () => {
    expect([0.04712, 0.5, 1.234, 12.34, 123.4].map(seconds)).toEqual([
      '0.047',
      '0.500',
      '1.23',
      '12.3',
      '123',
    ]);
  });
});

describe('the order of programs', () => {
  /** How often each program runs so many places after each other one, in so many rounds of so many programs. */
  function follows(count: number, rounds: number, places = 1): Map<string, number> {
    const times = new Map<string, number>();
    const inOrder = orders(count);
    const all = Array.from({ length: rounds }, () => inOrder.next().value).flat();
    for (const [i, after] of all.slice(places).entries()) {
      const pair = `${all[i]} before ${after}`;
      times.set(pair, (times.get(pair) ?? 0) + 1);
    }
    return times;
  }

  test('each program follows each other one about equally often, and never itself', () => {
    const counts = fc.record({
      count: fc.integer({ min: 2, max: 4 }),
      rounds: fc.integer({ min: 4, max: 30 }),
    });
    fc.assert(
      fc.property(counts, ({ count, rounds }) => {
        const times = follows(count, rounds);
        expect(times.size).toBe(count * (count - 1));
        const values = [...times.values()];
        expect(Math.max(...values) - Math.min(...values)).toBeLessThanOrEqual(1);
        for (let i = 0; i < count; i++) expect(times.has(`${i} before ${i}`)).toBe(false);
      }),
    );
  });

  test('who is next after one in a round is farther away in others, so that what it leaves meets all', () => {
    for (const places of [1, 2, 3]) {
      const times = follows(4, 10, places);
      for (const pair of follows(4, 10).keys()) expect(times.get(pair), pair).toBeGreaterThan(0);
    }
  });

  test('two programs run in turn, one alone time after time', () => {
    expect([...follows(2, 5)]).toEqual([
      ['0 before 1', 5],
      ['1 before 0', 4],
    ]);
    expect([...follows(1, 3)]).toEqual([['0 before 0', 2]]);
  });

  test('every program runs once in each round', () => {
    const inOrder = orders(4);
    for (let round = 0; round < 12; round++) {
      expect(inOrder.next().value.toSorted()).toEqual([0, 1, 2, 3]);
    }
  });
});

const CASE: BuildCase = {
  title: '4 steps, all cached',
  goal: 0.25,
  rounds: 3,
  programs: [took('habitus', 0.1, 0.2, 0.3), took('bake', 1, 1, 1), took('compose', 2, 2, 2)],
};

function pageOf(builds: readonly BuildCase[], more: Partial<Results> = {}): string {
  const machine = {
    processors: '2 × Some CPU',
    memory: '8 GiB',
    node: 'v20.19.0',
    engine: 'Docker 28.5.2, overlay2',
  };
  return page({ machine, count: 3, builds, plans: [], startup: [], ...more });
}

describe('the page', () => {
  test('tells times, ratio, range, goal and whether it is met', () => {
    expect(pageOf([CASE])).toContain(
      '| 4 steps, all cached | 0.200 s | 1.00 s | **0.20** (0.10 – 0.30) | ≤ 0.25 | 100 MB | yes |\n',
    );
    expect(pageOf([{ ...CASE, goal: 0.15 }])).toContain('| ≤ 0.15 | 100 MB | no |\n');
  });

  test('tells which cases have more rounds', () => {
    expect(pageOf([CASE])).not.toContain('there are more');
    const close = { ...CASE, title: 'tiny steps', rounds: 9 };
    const closer = { ...CASE, title: 'long ones', rounds: 15 };
    expect(pageOf([CASE, close, closer])).toContain(
      'greatest value. A ratio is the median of those of single rounds: the machine is not as fast in all of them.\n\nWhere a ratio is close to the goal there are more. 9 rounds: tiny steps. 15 rounds: long ones.\n\n- CPU',
    );
  });

  test('tells how many runs began while the machine was at work', () => {
    const restedOrNot = (...all: readonly boolean[]) =>
      all.map((rested) => ({ wall: 1, cpu: 1, megabytes: 1, rested }));
    const programs = (...ours: readonly boolean[]) => [
      { name: 'habitus', runs: restedOrNot(...ours) },
      { name: 'bake', runs: restedOrNot(true, true) },
    ];
    expect(pageOf([{ ...CASE, programs: programs(true, true) }])).toContain('All runs had that rest.\n');
    expect(pageOf([CASE, { ...CASE, programs: programs(true, false) }])).toContain(
      '1 of 13 runs began without that rest.\n',
    );
  });

  test('a goal is missed as well by memory', () => {
    const runs = [{ wall: 0.1, cpu: 0.1, megabytes: 151 }];
    const programs = [{ name: 'habitus', runs }, took('bake', 1)];
    expect(pageOf([{ ...CASE, programs }])).toContain('| 151 MB | no |\n');
  });

  test('names each case in which a peer was faster, and each such peer', () => {
    const lost = {
      ...CASE,
      title: 'cold',
      programs: [took('habitus', 2), took('bake', 1), took('buildah', 1.5)],
    };
    expect(pageOf([CASE])).toContain('No peer was faster in any case.');
    expect(pageOf([CASE, lost])).toContain('Peers were faster than Habitus here: cold (bake, buildah).');
  });

  test('a program that failed is told with its reason, and is no winner', () => {
    const failed = { name: 'buildah', failed: 'first line\nError: no | such image' };
    const text = pageOf([{ ...CASE, programs: [...CASE.programs, failed] }]);
    expect(text).toContain('| buildah | not run: Error: no \\| such image |');
    expect(text).toContain('No peer was faster in any case.');
    const ours = { name: 'habitus', failed: 'the image has not the /token of this run' };
    const without = pageOf([{ ...CASE, programs: [ours, took('bake', 1)] }]);
    expect(without).toContain('| 4 steps, all cached | failed | 1.00 s |');
    expect(without).toContain('Peers were faster than Habitus here: 4 steps, all cached (bake).');
  });

  test('the cost of a plan is what is beyond start-up', () => {
    const plan = (count: number, wall: number) => ({
      count,
      title: `${count} steps`,
      programs: [{ name: 'habitus', idle: took('habitus', 0.1), planned: took('habitus', wall) }],
    });
    const text = pageOf([], { plans: [plan(1000, 0.18), plan(10_000, 0.98)] });
    expect(text).toContain('| 1000 steps | habitus | 0.100 s | 0.180 s | **0.080 s** |');
    expect(text).toContain('The goal is 100 ms for 1,000 steps; 10 times the steps cost 11.0 times as much.');
  });

  test('start-up is compared with the first command', () => {
    const startup = [took('node -e 0', 0.04), took('habitus --help', 0.06)];
    expect(pageOf([], { startup })).toContain('| `habitus --help` | 0.060 s (0.060 – 0.060) | 1.50 |');
  });

  test('every row of a table has as many cells as its head', () => {
    const lines = pageOf([CASE], { startup: [took('node -e 0', 1)] }).split('\n');
    const cells = (line: string): number => line.split(/(?<!\\)\|/).length;
    const heads = lines.flatMap((line, i) => (/^\| --- /.test(line) ? [i] : []));
    expect(heads).toHaveLength(3);
    for (const head of heads) {
      for (let i = head - 1; lines[i]?.startsWith('|') === true; i++) {
        expect(cells(lines[i] ?? ''), lines[i]).toBe(cells(lines[head] ?? ''));
      }
    }
  });

  test('says what it was measured on', () => {
    expect(pageOf([CASE])).toContain('2 × Some CPU, 8 GiB');
    expect(pageOf([CASE])).toContain('engine: Docker 28.5.2, overlay2');
  });
});

describe('the picture', () => {
  const bars = (svg: string): readonly (readonly number[])[] =>
    [...svg.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)"/g)]
      .map(([, x, width]) => [Number(x), Number(x) + Number(width)])
      .slice(3);
  const one = (svg: string): number => Number(/class="one" x1="([\d.]+)"/.exec(svg)?.[1]);

  test('who is faster than bake goes left of the line, who is slower right', () => {
    const svg = plot([CASE]);
    const [ours, compose] = bars(svg);
    expect(ours?.[1]).toBeCloseTo(one(svg), 0);
    expect(ours?.[0]).toBeLessThan(one(svg));
    expect(compose?.[0]).toBeCloseTo(one(svg), 0);
    expect(compose?.[1]).toBeGreaterThan(one(svg));
    expect(svg).toContain('0.20 · 0.200 s');
    expect(svg).toContain('2.00 · 2.00 s');
  });

  test('who failed, and a case without bake, are left out', () => {
    const failed = { name: 'buildah', failed: 'no' };
    expect(bars(plot([{ ...CASE, programs: [...CASE.programs, failed] }]))).toHaveLength(2);
    const alone = {
      ...CASE,
      title: 'alone <1>',
      programs: [took('habitus', 1), { name: 'bake', failed: 'no' }],
    };
    expect(plot([CASE, alone])).not.toContain('alone');
    expect(plot([{ ...CASE, title: 'a <b> & c' }])).toContain('a &lt;b> &amp; c');
  });
});

describe('the arguments', () => {
  const known = { cases: ['cold', 'tiny'], peers: ['bake'], out: 'docs' };

  test('only a run of everything, in full, replaces the page', () => {
    expect(readOptions([], known).out).toBe('docs');
    expect(readOptions(['--runs', '7'], known)).toMatchObject({ out: 'docs', runs: 7 });
    for (const part of [['--quick'], ['--case', 'cold'], ['--without', 'bake']]) {
      expect(readOptions(part, known).out).toBeUndefined();
    }
    expect(readOptions(['--quick', '--out', 'elsewhere'], known).out).toBe('elsewhere');
  });

  test.each([
    [['--case', 'cool'], '--case takes one of cold, tiny'],
    [['--runs', '0'], '--runs takes a number from 1 to 99'],
    [['--fast'], '"--fast" is not a flag'],
    [['--out'], '--out needs a folder'],
  ])('%j is refused', (args, message) => {
    const usage = 'npm run bench -- [--quick] [--case NAME]... [--without PEER]... [--runs N] [--out DIR]';
    expect(() => readOptions(args, known)).toThrow(new Error(`${message}\n  ${usage}`));
  });
});
